import type { JsonValue } from "../signal/json.ts"
import { type AuditEntryRecord, type AuditScope, ENTRY_COLUMNS, exactTime } from "./audit-intake.ts"
import type { Queryable } from "./database.ts"
import type { TenantRecord } from "./tenants.ts"

/** An entry in its place in a chain. Hashes are SHA-256, 64 hex digits. */
export interface AuditRow extends AuditEntryRecord {
  readonly position: number
  /** Hash of the row before; of the first row, that of no row. */
  readonly previousHash: string
  /** Hash of all the other fields and the tenant. */
  readonly hash: string
}

/** An entry in its place, as the table has it: what was written as JSON is still its text. */
export interface RawAuditRow extends Omit<AuditRow, "details"> {
  readonly details: string | null
}

/** Where a chain begins and ends, as the table has it. */
export interface AuditHeadRecord {
  /** Rows up to here were archived and pruned; 0 when none were. */
  readonly basePosition: number
  readonly baseHash: string
  /** Position of the last row. */
  readonly position: number
  readonly hash: string
  /** RFC 3339 with microseconds. */
  readonly signedAt: string
  /** Which key signed; null when nobody did. */
  readonly keyId: string | null
  /** Base64. */
  readonly signature: string | null
}

const ROW_COLUMNS = `${ENTRY_COLUMNS}, details::text as details, position::float8 as position,
  encode(previous_hash, 'hex') as "previousHash", encode(hash, 'hex') as hash`
// Postgres breaks base64 into lines.
const HEAD_COLUMNS = `base_position::float8 as "basePosition", encode(base_hash, 'hex') as "baseHash",
  position::float8 as position, encode(hash, 'hex') as hash, key_id as "keyId", ${exactTime("signed_at")} as "signedAt",
  translate(encode(signature, 'base64'), E'\\n', '') as signature`

/** Where a chain ends; undefined when it has no head yet. */
export async function selectAuditHead(tx: Queryable, scope: AuditScope): Promise<AuditHeadRecord | undefined> {
  const [row] = await tx.query<AuditHeadRecord>(
    `/* selectAuditHead */ select ${HEAD_COLUMNS} from ${scope.schema}.audit_heads where tenant = $1`,
    [scope.slug],
  )
  return row
}

/** A head that the transaction holds, and what time it is for the database. */
export interface LockedHead {
  readonly head: AuditHeadRecord
  /** RFC 3339 with microseconds. */
  readonly now: string
}

/** Where a chain ends, locked until the transaction ends: whoever holds it is the one writer. */
export async function lockAuditHead(tx: Queryable, scope: AuditScope): Promise<LockedHead | undefined> {
  const [row] = await tx.query<AuditHeadRecord & Pick<LockedHead, "now">>(
    `/* lockAuditHead */ select ${HEAD_COLUMNS},
       ${exactTime("clock_timestamp()")} as now
     from ${scope.schema}.audit_heads where tenant = $1 for update`,
    [scope.slug],
  )
  if (!row) return undefined
  const { now, ...head } = row
  return { head, now }
}

/** What time it is for the database, RFC 3339 with microseconds. */
export async function selectAuditTime(tx: Queryable): Promise<string> {
  const [row] = await tx.query<{ now: string }>(`/* selectAuditTime */ select ${exactTime("clock_timestamp()")} as now`)
  return row?.now ?? ""
}

/** Stores a chain's first head. Waits for another who does the same, and then changes nothing. */
export async function insertAuditHead(tx: Queryable, scope: AuditScope, head: AuditHeadRecord): Promise<void> {
  await tx.query(
    `/* insertAuditHead */ insert into ${scope.schema}.audit_heads
       (tenant, base_position, base_hash, position, hash, signed_at, key_id, signature)
     values ($1, $2, decode($3, 'hex'), $4, decode($5, 'hex'), $6::timestamptz, $7, decode($8, 'base64'))
     on conflict do nothing`,
    headValues(scope, head),
  )
}

/** Moves the head on. Whoever does that holds its lock. */
export async function updateAuditHead(tx: Queryable, scope: AuditScope, head: AuditHeadRecord): Promise<void> {
  await tx.query(
    `/* updateAuditHead */ update ${scope.schema}.audit_heads set base_position = $2, base_hash = decode($3, 'hex'),
       position = $4, hash = decode($5, 'hex'), signed_at = $6::timestamptz, key_id = $7, signature = decode($8, 'base64')
     where tenant = $1`,
    headValues(scope, head),
  )
}

function headValues({ slug }: AuditScope, head: AuditHeadRecord): readonly unknown[] {
  const { basePosition, baseHash, position, hash, signedAt, keyId, signature } = head
  return [slug, basePosition, baseHash, position, hash, signedAt, keyId, signature]
}

/** Where a tenant's log is. */
export type AuditTenant = Pick<TenantRecord, "placement" | "status" | "schemaVersion" | "cell">

/** A tenant, which keeps its place and status until the transaction ends; undefined when there is none. */
export async function lockAuditTenant(tx: Queryable, slug: string): Promise<AuditTenant | undefined> {
  const [row] = await tx.query<AuditTenant>(
    `/* lockAuditTenant */ select placement, status, schema_version as "schemaVersion", cell
     from fleetprompt.tenants where slug = $1 for share`,
    [slug],
  )
  return row
}

/** Adds rows to a chain. */
export async function insertAuditRows(tx: Queryable, scope: AuditScope, rows: readonly RawAuditRow[]): Promise<void> {
  await tx.query(
    `/* insertAuditRows */ insert into ${scope.schema}.audit_log (tenant, position, id, occurred_at, actor_kind, actor_id,
       actor_role, action, resource, outcome, details, correlation_id, previous_hash, hash)
     select $1, position, id, "occurredAt", "actorKind", "actorId", "actorRole", action, resource, outcome,
       details::json, "correlationId", decode("previousHash", 'hex'), decode(hash, 'hex')
     from json_to_recordset($2::text::json) as entry (position bigint, id uuid, "occurredAt" timestamptz,
       "actorKind" text, "actorId" text, "actorRole" text, action text, resource text, outcome text, details text,
       "correlationId" text, "previousHash" text, hash text)`,
    [scope.slug, JSON.stringify(rows)],
  )
}

/** Rows of a chain in order: those behind `after` up to `through`, at most `limit`. */
export async function selectAuditRows(
  tx: Queryable,
  scope: AuditScope,
  range: { readonly after: number; readonly through: number; readonly limit: number },
): Promise<readonly RawAuditRow[]> {
  return tx.query<RawAuditRow>(
    `/* selectAuditRows */ select ${ROW_COLUMNS} from ${scope.schema}.audit_log
     where tenant = $1 and position > $2 and position <= $3 order by position limit $4`,
    [scope.slug, range.after, range.through, range.limit],
  )
}

/** A chain's head, and what there is of rows outside of it. */
export interface AuditEnds {
  readonly head: AuditHeadRecord | undefined
  /** Position of the first row, null without rows. */
  readonly first: number | null
  readonly last: number | null
  /** How many rows there are. */
  readonly rows: number
}

/** The head together with the first and last row, as of one moment. */
export async function selectAuditEnds(tx: Queryable, scope: AuditScope): Promise<AuditEnds> {
  type Row = AuditHeadRecord & Omit<AuditEnds, "head"> & { readonly found: boolean }
  const [row] = await tx.query<Row>(
    `/* selectAuditEnds */ select head.*, head.hash is not null as found,
       (select min(position)::float8 from ${scope.schema}.audit_log where tenant = $1) as first,
       (select max(position)::float8 from ${scope.schema}.audit_log where tenant = $1) as last,
       (select count(*)::float8 from ${scope.schema}.audit_log where tenant = $1) as rows
     from (select 1) as one left join (
       select ${HEAD_COLUMNS} from ${scope.schema}.audit_heads where tenant = $1) as head on true`,
    [scope.slug],
  )
  if (!row) return { head: undefined, first: null, last: null, rows: 0 }
  const { first, last, rows, found, ...head } = row
  return { head: found ? head : undefined, first, last, rows }
}

/**
 * Removes the rows up to a position, as the tables' owner.
 *
 * @returns how many.
 */
export async function deleteAuditRows(tx: Queryable, scope: AuditScope, through: number): Promise<number> {
  // Until the transaction ends; the log refuses it otherwise.
  await tx.query("/* beginAuditMaintenance */ select set_config('fleetprompt.audit_maintenance', 'on', true)")
  const [row] = await tx.query<{ count: number }>(
    `/* deleteAuditRows */ with gone as (
       delete from ${scope.schema}.audit_log where tenant = $1 and position <= $2 returning 1
     )
     select count(*)::float8 as count from gone`,
    [scope.slug, through],
  )
  await tx.query("/* endAuditMaintenance */ select set_config('fleetprompt.audit_maintenance', 'off', true)")
  return row?.count ?? 0
}

/** Which rows a reader asks for; null asks for nothing. */
export interface AuditConditions {
  readonly actorId: string | null
  readonly actorKind: string | null
  /** Only actions that fit this regular expression, read with a dot after the action. */
  readonly actionExpression: string | null
  readonly resource: string | null
  /** Only resources that begin so. */
  readonly resourcePrefix: string | null
  readonly outcome: string | null
  readonly correlationId: string | null
  /** Happened at this time or later, RFC 3339. */
  readonly from: string | null
  /** Happened before this time, RFC 3339. */
  readonly to: string | null
}

/** Rows that fit, newest first. */
export async function selectAuditPage(
  tx: Queryable,
  scope: AuditScope,
  conditions: AuditConditions,
  page: { readonly limit: number; readonly before: number | null },
): Promise<readonly RawAuditRow[]> {
  return tx.query<RawAuditRow>(
    `/* selectAuditPage */ select ${ROW_COLUMNS} from ${scope.schema}.audit_log as log
     where tenant = $1 and ($2::bigint is null or position < $2::bigint)
       and ($4::text is null or actor_id = $4) and ($5::text is null or actor_kind = $5)
       and ($6::text is null or (action || '.') ~ $6) and ($7::text is null or resource = $7)
       and ($8::text is null or starts_with(resource, $8)) and ($9::text is null or outcome = $9)
       and ($10::text is null or correlation_id = $10)
       and ($11::timestamptz is null or occurred_at >= $11::timestamptz)
       and ($12::timestamptz is null or occurred_at < $12::timestamptz)
     order by log.position desc limit $3`,
    [
      scope.slug,
      page.before,
      page.limit,
      conditions.actorId,
      conditions.actorKind,
      conditions.actionExpression,
      conditions.resource,
      conditions.resourcePrefix,
      conditions.outcome,
      conditions.correlationId,
      conditions.from,
      conditions.to,
    ],
  )
}

/** What stands as JSON text in a row. */
export function detailsOf({ details }: RawAuditRow): JsonValue {
  // Postgres checked that it is JSON when it was stored.
  return details === null ? null : (JSON.parse(details) as JsonValue)
}
