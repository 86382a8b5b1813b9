import type { JsonValue } from "../signal/json.ts"
import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Name of the platform's own log, in place of a slug. */
export const PLATFORM_LOG = "*"

/** What of a tenant's scope an audit log is found by; the platform's own log has one too. */
export type AuditScope = Pick<TenantScope, "slug" | "schema">

/** Where the platform's own log is. */
export const PLATFORM_SCOPE: AuditScope = Object.freeze({ slug: PLATFORM_LOG, schema: '"fleetprompt"' })

/** An entry as it is stored, before it has its place in a chain. */
export interface AuditEntryRecord {
  readonly id: string
  /** When it happened, RFC 3339 with microseconds; the database's clock. */
  readonly occurredAt: string
  readonly actorKind: string
  readonly actorId: string
  readonly actorRole: string | null
  readonly action: string
  readonly resource: string
  readonly outcome: "done" | "denied" | "failed"
  readonly details: JsonValue
  readonly correlationId: string | null
}

/** A time letter by letter: two that differ are never read as the same. */
export const exactTime = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    || case when ${column} < '0001-01-01 00:00:00+00' then ' BC' else '' end`

/** The columns that an entry is read by. */
export const ENTRY_COLUMNS = `id, ${exactTime("occurred_at")} as "occurredAt",
  actor_kind as "actorKind", actor_id as "actorId", actor_role as "actorRole", action, resource, outcome,
  correlation_id as "correlationId"`

/** An entry to be stored; the database says when it happened. */
export interface NewAuditEntry extends Omit<AuditEntryRecord, "occurredAt"> {
  /** Slug of the tenant, or `PLATFORM_LOG`. */
  readonly tenant: string
}

/** Stores entries, of one tenant or of several; they stand in their logs when the chainer has moved them on. */
export async function insertAuditIntake(tx: Queryable, entries: readonly NewAuditEntry[]): Promise<void> {
  await tx.query(
    `/* insertAuditIntake */ insert into fleetprompt.audit_intake
       (tenant, id, actor_kind, actor_id, actor_role, action, resource, outcome, details, correlation_id)
     select tenant, id, "actorKind", "actorId", "actorRole", action, resource,
       outcome, details, "correlationId"
     from json_to_recordset($1::text::json) as entry (tenant text, id uuid, "actorKind" text,
       "actorId" text, "actorRole" text, action text, resource text, outcome text, details json, "correlationId" text)`,
    [JSON.stringify(entries)],
  )
}

/** Turns the waiting entries of a tenant that has gone into the platform's own; each says whose it was. */
export async function adoptAuditIntake(tx: Queryable, slug: string): Promise<void> {
  await tx.query(
    `/* adoptAuditIntake */ update fleetprompt.audit_intake
     set tenant = $2, details = json_build_object('tenant', $1::text, 'details', details) where tenant = $1`,
    [slug, PLATFORM_LOG],
  )
}

/** Takes the entries of one log out of the intake, in the order they came. Whoever does that holds the head's lock. */
export async function takeAuditIntake(
  tx: Queryable,
  scope: AuditScope,
  limit: number,
): Promise<readonly AuditEntryRecord[]> {
  type Row = AuditEntryRecord & { readonly arrival: number }
  const rows = await tx.query<Row>(
    `/* takeAuditIntake */ delete from fleetprompt.audit_intake
     where tenant = $1 and arrival = any (array(
       select arrival from fleetprompt.audit_intake where tenant = $1 order by arrival limit $2))
     returning arrival::float8 as arrival, ${ENTRY_COLUMNS}, details`,
    [scope.slug, limit],
  )
  return rows
    .toSorted((one, other) => one.arrival - other.arrival)
    .map(({ arrival: _, ...entry }): AuditEntryRecord => entry)
}

/** A log that has entries in the intake. */
export interface WaitingLog {
  /** Slug of the tenant, or `PLATFORM_LOG`. */
  readonly tenant: string
  /** How long the oldest entry has waited. */
  readonly waitedMs: number
}

/** Logs that have entries in the intake. Walks from one to the next, however many entries each has. */
export async function selectAuditIntakeLogs(tx: Queryable, limit: number): Promise<readonly WaitingLog[]> {
  return tx.query<WaitingLog>(
    `/* selectAuditIntakeLogs */ with recursive waiting (tenant, occurred_at) as (
       (select tenant, occurred_at from fleetprompt.audit_intake order by tenant, arrival limit 1)
       union all
       select next.tenant, next.occurred_at from waiting cross join lateral (
         select tenant, occurred_at from fleetprompt.audit_intake
         where audit_intake.tenant > waiting.tenant order by tenant, arrival limit 1) as next
     )
     select tenant, greatest(0, extract(epoch from clock_timestamp() - occurred_at) * 1000)::float8 as "waitedMs"
     from waiting limit $1`,
    [limit],
  )
}

/** How many entries of one log wait in the intake, and how many milliseconds the oldest has waited. */
export async function selectAuditWaiting(
  tx: Queryable,
  scope: AuditScope,
): Promise<{ readonly count: number; readonly waitedMs: number }> {
  const [row] = await tx.query<{ count: number; waitedMs: number }>(
    `/* selectAuditWaiting */ select count(*)::float8 as count,
       coalesce(greatest(0, extract(epoch from clock_timestamp() - min(occurred_at)) * 1000), 0)::float8 as "waitedMs"
     from fleetprompt.audit_intake where tenant = $1`,
    [scope.slug],
  )
  return row ?? { count: 0, waitedMs: 0 }
}
