import type { Queryable } from "./database.ts"
import type { TenantRecord } from "./tenants.ts"

/** A tenant's way from one database to another, as the directory has it. */
export interface CellChange {
  /** The generation that the directory had when the move began; whoever comes late shows an old one. */
  readonly generation: number
  /** Where it goes. */
  readonly to: string
}

/**
 * Says in the directory that a tenant's rows are in another database from now on. This one commit is what moves it.
 *
 * @param isHere whether they were in the directory's own database, where its row is `moving`.
 * @returns false when the directory says something else than when the move began.
 */
export async function changeCell(
  tx: Queryable,
  slug: string,
  { generation, to }: CellChange,
  isHere: boolean,
): Promise<boolean> {
  const rows = await tx.query(
    `/* changeCell */ update fleetprompt.tenants
     set status = 'elsewhere', cell = $3, generation = generation + 1, status_reason = null, status_before = null,
       holds_deliveries = false
     where slug = $1 and generation = $2 and status = case when $4::boolean then 'moving' else 'elsewhere' end
     returning slug`,
    [slug, generation, to, isHere],
  )
  return rows.length > 0
}

/** What a tenant is where it arrives. */
export interface ArrivedTenant extends Pick<
  TenantRecord,
  "schemaName" | "placement" | "class" | "schemaVersion" | "breakingVersion"
> {
  readonly slug: string
  readonly status: "ready" | "suspended"
  readonly generation: number
}

/**
 * Opens a tenant in the database where its rows are now.
 *
 * @param before the generation that its row has had there until now, so that nobody opens it late.
 * @returns false when its row says something else.
 */
export async function openArrived(tx: Queryable, tenant: ArrivedTenant, before: number): Promise<boolean> {
  const { slug, schemaName, placement, schemaVersion, breakingVersion, status, generation } = tenant
  const rows = await tx.query(
    `/* openArrived */ update fleetprompt.tenants
     set status = $2, cell = null, schema_name = $3, placement = $4, class = $5, schema_version = $6, breaking_version = $7,
       generation = $8, holds_deliveries = false, status_before = null, status_reason = null,
       suspended_at = case when $2 = 'suspended' then now() end, ready_at = coalesce(ready_at, now())
     where slug = $1 and status = 'elsewhere' and generation = $9 returning slug`,
    [slug, status, schemaName, placement, tenant.class, schemaVersion, breakingVersion, generation, before],
  )
  return rows.length > 0
}

/** A tenant whose rows are being copied into this database, and how far that is. */
export interface Arrival {
  readonly operationId: string
  /** In which order the copied signals are, an xid8 as text; see `sql/control/0020_cells.sql`. */
  readonly orderTx: string
  /** The table that is being copied; null before the first. */
  readonly table: string | null
  /** How far it is in that table; null: nothing of it is in. */
  readonly place: string | null
  /** Rows of all tables. */
  readonly copied: number
}

const ARRIVAL = `operation_id as "operationId", order_tx::text as "orderTx", table_name as table, place,
  copied::float8 as copied`

/** Who copies: the operation, and the token of its lease, which grows when another process takes over. */
export interface ArrivalHolder {
  readonly id: string
  readonly leaseToken: number
}

/** Begins to let a tenant in. @returns false when somebody does so already. */
export async function insertArrival(
  tx: Queryable,
  tenant: string,
  { id, leaseToken }: ArrivalHolder,
): Promise<boolean> {
  const rows = await tx.query(
    `/* insertArrival */ insert into fleetprompt.arrivals (tenant, operation_id, lease_token, order_tx)
     values ($1, $2::text::uuid, $3::float8::bigint,
       (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text::xid8)
     on conflict do nothing returning tenant`,
    [tenant, id, leaseToken],
  )
  return rows.length > 0
}

/**
 * Takes an arrival over from a process that was replaced, which adds nothing any more from here on.
 *
 * @returns undefined when another operation, or a later holder, does it.
 */
export async function resumeArrival(
  tx: Queryable,
  tenant: string,
  { id, leaseToken }: ArrivalHolder,
): Promise<Arrival | undefined> {
  const [row] = await tx.query<Arrival>(
    `/* resumeArrival */ update fleetprompt.arrivals as arrival set lease_token = $3::float8::bigint
     where tenant = $1 and operation_id = $2::text::uuid and lease_token <= $3::float8::bigint returning ${ARRIVAL}`,
    [tenant, id, leaseToken],
  )
  return row
}

/** How far an arrival is. */
export async function selectArrival(tx: Queryable, tenant: string): Promise<Arrival | undefined> {
  const [row] = await tx.query<Arrival>(
    `/* selectArrival */ select ${ARRIVAL} from fleetprompt.arrivals where tenant = $1`,
    [tenant],
  )
  return row
}

/** Notes how far an arrival is, in the commit that adds the rows. @returns false when somebody else does it by now. */
export async function advanceArrival(
  tx: Queryable,
  tenant: string,
  { id, leaseToken }: ArrivalHolder,
  { table, place, rows }: { readonly table: string; readonly place: string; readonly rows: number },
): Promise<boolean> {
  const found = await tx.query(
    `/* advanceArrival */ update fleetprompt.arrivals set table_name = $4, place = $5, copied = copied + $6::float8::bigint
     where tenant = $1 and operation_id = $2::text::uuid and lease_token = $3::float8::bigint returning tenant`,
    [tenant, id, leaseToken, table, place, rows],
  )
  return found.length > 0
}

/** Ends an arrival, so that nothing is added any more. @returns whether it was this operation's. */
export async function deleteArrival(tx: Queryable, tenant: string, operationId: string): Promise<boolean> {
  const rows = await tx.query(
    `/* deleteArrival */ delete from fleetprompt.arrivals where tenant = $1 and operation_id = $2::text::uuid returning tenant`,
    [tenant, operationId],
  )
  return rows.length > 0
}
