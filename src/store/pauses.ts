import type { Queryable } from "./database.ts"

/** What stands for every tenant or every handler. No tenant and no handler can have this name. */
export const ALL = "*"

/** Whose deliveries of which handler. */
export interface PauseScope {
  /** A tenant's slug, or `*` for all. */
  readonly tenant: string
  /** A handler's name, or `*` for all. */
  readonly handler: string
}

/** Deliveries that are not to be claimed. */
export interface Pause extends PauseScope {
  /** Why, for people. */
  readonly reason: string | null
  /** Since when, RFC 3339. */
  readonly pausedAt: string
}

type PauseRow = Omit<Pause, "pausedAt"> & { readonly pausedAt: Date }

const COLUMNS = `tenant, handler, reason, paused_at as "pausedAt"`

/** Notes a pause. One that stands keeps its beginning and gets the new reason, when there is one. */
export async function insertPause(tx: Queryable, { tenant, handler }: PauseScope, reason?: string): Promise<Pause> {
  const rows = await tx.query<PauseRow>(
    `/* insertPause */ insert into fleetprompt.pauses as pause (tenant, handler, reason) values ($1, $2, $3)
     on conflict (tenant, handler) do update set reason = coalesce(excluded.reason, pause.reason)
     returning ${COLUMNS}`,
    [tenant, handler, reason ?? null],
  )
  // The statement answers with its one row, whether it was inserted or updated.
  return toPause(rows[0] as PauseRow)
}

/**
 * Removes the pause of exactly this scope.
 *
 * @returns whether there was one.
 */
export async function deletePause(tx: Queryable, { tenant, handler }: PauseScope): Promise<boolean> {
  const rows = await tx.query(
    `/* deletePause */ delete from fleetprompt.pauses where tenant = $1 and handler = $2 returning tenant`,
    [tenant, handler],
  )
  return rows.length > 0
}

/** All pauses, the oldest first. */
export async function selectPauses(tx: Queryable): Promise<readonly Pause[]> {
  const rows = await tx.query<PauseRow>(
    `/* selectPauses */ select ${COLUMNS} from fleetprompt.pauses order by paused_at, tenant, handler`,
  )
  return rows.map(toPause)
}

/**
 * All that is not to be begun: what people paused, and tenants that are suspended, moved or held back. One that is being
 * provisioned is not among them, so that its first deliveries need not wait for the next look; no claim takes what is its.
 */
export async function selectHolds(tx: Queryable): Promise<readonly PauseScope[]> {
  return tx.query<PauseScope>(
    `/* selectHolds */ select tenant, handler from fleetprompt.pauses
     union all
     select slug, '${ALL}' from fleetprompt.tenants where status not in ('ready', 'deleted', 'provisioning', 'elsewhere') or holds_deliveries`,
  )
}

function toPause(row: PauseRow): Pause {
  return { ...row, pausedAt: row.pausedAt.toISOString() }
}

/** Tells whether any of the pauses covers a tenant's deliveries of a handler. It costs the same however many there are. */
export function pausedBy(pauses: readonly PauseScope[]): (tenant: string, handler: string) => boolean {
  const keys = new Set(pauses.map(({ tenant, handler }) => pauseKey(tenant, handler)))
  if (keys.size === 0) return () => false
  return (tenant, handler) =>
    [tenant, ALL].some((one) => [handler, ALL].some((other) => keys.has(pauseKey(one, other))))
}

/** Neither a slug nor a handler's name has a space. */
function pauseKey(tenant: string, handler: string): string {
  return `${tenant} ${handler}`
}
