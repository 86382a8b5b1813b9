import type { Queryable } from "./database.ts"
import type { Placement } from "./tenant-scope.ts"

/** A place that a move left: its rows are kept there for a while. */
export interface KeptPlacement {
  /** The move. */
  readonly operationId: string
  readonly tenant: string
  /** Where the rows are now, not quoted. */
  readonly schemaName: string
  readonly placement: Placement
  readonly keptUntil: Date
}

const COLUMNS = `operation_id as "operationId", tenant, schema_name as "schemaName", placement, kept_until as "keptUntil"`

/** Notes a place that was left. Again: as the first time. */
export async function insertKept(
  tx: Queryable,
  { operationId, tenant, schemaName, placement }: Omit<KeptPlacement, "keptUntil">,
  keepMs: number,
): Promise<void> {
  await tx.query(
    `/* insertKept */ insert into fleetprompt.kept_placements (operation_id, tenant, schema_name, placement, kept_until)
     values ($1::text::uuid, $2, $3, $4, now() + $5::float8 * interval '1 millisecond') on conflict do nothing`,
    [operationId, tenant, schemaName, placement, keepMs],
  )
}

/** A place got another name. */
export async function renameKept(tx: Queryable, operationId: string, schemaName: string): Promise<void> {
  await tx.query(
    `/* renameKept */ update fleetprompt.kept_placements set schema_name = $2 where operation_id = $1::text::uuid`,
    [operationId, schemaName],
  )
}

/** Places that were left, of one tenant or of all, the oldest first. */
export async function selectKept(tx: Queryable, tenant?: string): Promise<readonly KeptPlacement[]> {
  return tx.query<KeptPlacement>(
    `/* selectKept */ select ${COLUMNS} from fleetprompt.kept_placements
     where $1::text is null or tenant = $1 order by created_at`,
    [tenant ?? null],
  )
}

/** Places whose time is over. */
export async function selectKeptTooLong(tx: Queryable, limit: number): Promise<readonly KeptPlacement[]> {
  return tx.query<KeptPlacement>(
    `/* selectKeptTooLong */ select ${COLUMNS} from fleetprompt.kept_placements where kept_until <= now()
     order by kept_until limit $1`,
    [limit],
  )
}

/** Forgets a place, whose rows are gone. */
export async function deleteKept(tx: Queryable, operationId: string): Promise<void> {
  await tx.query(`/* deleteKept */ delete from fleetprompt.kept_placements where operation_id = $1::text::uuid`, [
    operationId,
  ])
}
