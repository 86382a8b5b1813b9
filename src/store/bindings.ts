import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "./database.ts"

/** One of the platform's templates, bound to signals of a tenant by a package that the tenant has installed. */
export interface BindingRecord {
  readonly tenant: string
  /** The name that its deliveries carry: `<slug of the package>.<name in the manifest>`. */
  readonly handler: string
  readonly installationId: string
  readonly package: string
  readonly version: string
  /** Name of the template. */
  readonly template: string
  /** Pattern of signal types. */
  readonly pattern: string
  /** A further condition, as data; null: none. */
  readonly condition: JsonObject | null
  /** What the template is given. */
  readonly params: JsonObject
  /** The installation's configuration. */
  readonly config: JsonObject
  /** Ids of credentials by the names that the package gives them. */
  readonly credentials: Readonly<Record<string, string>>
  /** One that is not makes no deliveries, and those that there are wait. */
  readonly isEnabled: boolean
}

/** A binding to be written. Its package's slug and a dot are what `handler` begins with. */
export type NewBinding = Omit<BindingRecord, "tenant">

/** Of the alias `binding`, all but its key. */
const COLUMNS = `binding.installation_id as "installationId", binding.package, binding.version, binding.template,
  binding.pattern, binding.condition, binding.params, binding.config, binding.credentials, binding.is_enabled as "isEnabled"`

/**
 * Writes a tenant's bindings, in place of those of the same names. Whoever commits it announces `bindings`, as after
 * each of the statements below that change them; without, processes find out within a second.
 */
export async function upsertBindings(tx: Queryable, tenant: string, bindings: readonly NewBinding[]): Promise<void> {
  await tx.query(
    `/* upsertBindings */ insert into fleetprompt.bindings as binding
       (tenant, handler, installation_id, package, version, template, pattern, condition, params, config, credentials, is_enabled)
     select $1, handler, "installationId", package, version, template, pattern, condition, params, config, credentials, "isEnabled"
     from jsonb_to_recordset($2::text::jsonb) as given (handler text, "installationId" uuid, package text, version text,
       template text, pattern text, condition jsonb, params jsonb, config jsonb, credentials jsonb, "isEnabled" boolean)
     on conflict (tenant, handler) do update
     set installation_id = excluded.installation_id, package = excluded.package, version = excluded.version,
       template = excluded.template, pattern = excluded.pattern, condition = excluded.condition, params = excluded.params,
       config = excluded.config, credentials = excluded.credentials, is_enabled = excluded.is_enabled`,
    [tenant, JSON.stringify(bindings.map((binding) => ({ ...binding, condition: binding.condition ?? undefined })))],
  )
}

/** Has an installation's bindings make deliveries, and run them, again. Answers how many there are. */
export async function enableBindings(tx: Queryable, tenant: string, installationId: string): Promise<number> {
  const rows = await tx.query(
    `/* enableBindings */ update fleetprompt.bindings set is_enabled = true
     where tenant = $1 and installation_id = $2::text::uuid returning handler`,
    [tenant, installationId],
  )
  return rows.length
}

/** Has an installation's bindings make no deliveries; those that there are wait. Answers how many bindings there are. */
export async function disableBindings(tx: Queryable, tenant: string, installationId: string): Promise<number> {
  const rows = await tx.query(
    `/* disableBindings */ update fleetprompt.bindings set is_enabled = false
     where tenant = $1 and installation_id = $2::text::uuid returning handler`,
    [tenant, installationId],
  )
  return rows.length
}

/**
 * Removes an installation's bindings. Deliveries of theirs that wait are cancelled by whichever process claims them.
 *
 * @param except names of those that stay, for an upgrade. Default: none.
 * @returns the names of those that were removed.
 */
export async function removeBindings(
  tx: Queryable,
  tenant: string,
  installationId: string,
  except: readonly string[] = [],
): Promise<readonly string[]> {
  const rows = await tx.query<{ handler: string }>(
    `/* removeBindings */ delete from fleetprompt.bindings
     where tenant = $1 and installation_id = $2::text::uuid
       and handler not in (select json_array_elements_text($3::text::json)) returning handler`,
    [tenant, installationId, JSON.stringify(except)],
  )
  return rows.map(({ handler }) => handler)
}

/** An installation's bindings by name. */
export async function selectBindingsOf(
  tx: Queryable,
  tenant: string,
  installationId: string,
): Promise<readonly BindingRecord[]> {
  return tx.query<BindingRecord>(
    `/* selectBindingsOf */ select binding.tenant, binding.handler, ${COLUMNS} from fleetprompt.bindings as binding
     where binding.tenant = $1 and binding.installation_id = $2::text::uuid order by binding.handler`,
    [tenant, installationId],
  )
}

/** A binding as it was after its last change, or that there is none any more. */
export interface BindingState {
  readonly tenant: string
  readonly handler: string
  /** Another one after each change: the transaction, an xid8 as text. */
  readonly changedTx: string
  /** Undefined: it was removed. */
  readonly binding: BindingRecord | undefined
}

/** The columns of a binding are null where there is none. */
interface StateRow extends BindingRecord {
  readonly changedTx: string
  readonly isThere: boolean
}

/** Of the aliases `change` and `binding`. */
const STATE_COLUMNS = `change.tenant, change.handler, change.changed_tx::text as "changedTx",
  binding.handler is not null as "isThere", ${COLUMNS}`

function toState({ changedTx, isThere, ...binding }: StateRow): BindingState {
  const { tenant, handler } = binding
  return { tenant, handler, changedTx, binding: isThere ? binding : undefined }
}

/** Where a page of all bindings ended. */
export type BindingKey = Pick<BindingState, "tenant" | "handler">

/** All bindings of all tenants and those that were removed lately, by tenant and name, a page at a time. */
export async function selectBindings(
  engine: Queryable,
  after: BindingKey | undefined,
  limit: number,
): Promise<readonly BindingState[]> {
  const rows = await engine.query<StateRow>(
    `/* selectBindings */ select ${STATE_COLUMNS}
     from fleetprompt.binding_changes as change
     left join fleetprompt.bindings as binding on binding.tenant = change.tenant and binding.handler = change.handler
     where (change.tenant, change.handler) > ($1, $2) order by change.tenant, change.handler limit $3`,
    [after?.tenant ?? "", after?.handler ?? "", limit],
  )
  return rows.map(toState)
}

/** Where to read changes from: those of this transaction and of later ones, behind this key of the first. */
export interface BindingPlace extends BindingKey {
  /** An xid8 as text. */
  readonly changedTx: string
}

/** Some of what has changed. */
export interface BindingChanges {
  /** The oldest transaction that was open: the next look begins there. */
  readonly horizon: string
  /** In order of their places. One that an earlier look told may be among them, with the same `changedTx`. */
  readonly states: readonly BindingState[]
}

/**
 * What has changed in transactions that had not ended when a horizon was told: none can be missed, however long its
 * transaction took. Rows that a restored database brought from another one, whose transactions are still to come here,
 * are no changes.
 */
export async function selectBindingChanges(
  engine: Queryable,
  { changedTx, tenant, handler }: BindingPlace,
  limit: number,
): Promise<BindingChanges> {
  const rows = await engine.query<{ readonly horizon: string } & (StateRow | { readonly isThere: null })>(
    `/* selectBindingChanges */ select look.horizon::text as horizon, state.*
     from (select pg_snapshot_xmin(pg_current_snapshot()) as horizon, pg_snapshot_xmax(pg_current_snapshot()) as next) as look
     left join lateral (
       select ${STATE_COLUMNS}
       from fleetprompt.binding_changes as change
       left join fleetprompt.bindings as binding on binding.tenant = change.tenant and binding.handler = change.handler
       where (change.changed_tx, change.tenant, change.handler) > ($1::text::xid8, $2, $3) and change.changed_tx < look.next
       order by change.changed_tx, change.tenant, change.handler limit $4
     ) as state on true`,
    [changedTx, tenant, handler, limit],
  )
  return {
    // The left join answers with a row in any case.
    horizon: rows[0]?.horizon ?? changedTx,
    states: rows.flatMap(({ horizon: _, ...row }) => (row.isThere === null ? [] : [toState(row)])),
  }
}

/** The oldest transaction that is open, where whoever then reads all bindings begins to read changes. */
export async function selectBindingHorizon(engine: Queryable): Promise<string> {
  const [row] = await engine.query<{ horizon: string }>(
    `/* selectBindingHorizon */ select pg_snapshot_xmin(pg_current_snapshot())::text as horizon`,
  )
  return row?.horizon ?? "0"
}

/** Whether a tenant has bindings. */
export async function hasBindings(tx: Queryable, tenant: string): Promise<boolean> {
  const [row] = await tx.query<{ isSo: boolean }>(
    `/* hasBindings */ select exists (select from fleetprompt.bindings where tenant = $1) as "isSo"`,
    [tenant],
  )
  return row?.isSo === true
}

/** The names of a tenant's bindings that were removed lately. */
export async function selectGoneBindings(tx: Queryable, tenant: string): Promise<readonly string[]> {
  const rows = await tx.query<{ handler: string }>(
    `/* selectGoneBindings */ select change.handler from fleetprompt.binding_changes as change
     where change.tenant = $1 and not exists (select from fleetprompt.bindings as binding
       where binding.tenant = change.tenant and binding.handler = change.handler)`,
    [tenant],
  )
  return rows.map(({ handler }) => handler)
}

/** Notes that a tenant had bindings elsewhere that were removed, so that deliveries of theirs are cancelled here. */
export async function insertGoneBindings(tx: Queryable, tenant: string, handlers: readonly string[]): Promise<void> {
  await tx.query(
    `/* insertGoneBindings */ insert into fleetprompt.binding_changes (tenant, handler)
     select $1, json_array_elements_text($2::text::json) on conflict do nothing`,
    [tenant, JSON.stringify(handlers)],
  )
}

/** Forgets bindings that were removed so long ago, milliseconds, and have no deliveries left to be cancelled. */
export async function deleteOldBindingChanges(engine: Queryable, olderThanMs: number): Promise<void> {
  await engine.query(
    `/* deleteOldBindingChanges */ delete from fleetprompt.binding_changes as change
     where change.changed_at < now() - $1::float8 * interval '1 millisecond'
       and not exists (select 1 from fleetprompt.bindings as binding
         where binding.tenant = change.tenant and binding.handler = change.handler)
       and not exists (select 1 from fleetprompt.deliveries as delivery
         where delivery.handler = change.handler and delivery.tenant = change.tenant)`,
    [olderThanMs],
  )
}
