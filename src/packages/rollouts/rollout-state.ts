import type { Queryable } from "../../store/database.ts"
import { countRolloutTenants, type RolloutTenantState } from "../../store/package-rollout-tenants.ts"
import type { RolloutRecord } from "../../store/package-rollouts.ts"
import type { RolloutState } from "./rollouts-door.ts"

const NONE: Readonly<Record<RolloutTenantState, number>> = {
  pending: 0,
  upgrading: 0,
  upgraded: 0,
  unchanged: 0,
  absent: 0,
  suspended: 0,
  failed: 0,
  restoring: 0,
  restored: 0,
  kept: 0,
}

/** A rollout with how far it is. */
export async function stateOf(db: Queryable, record: RolloutRecord): Promise<RolloutState> {
  const tenants = { ...NONE }
  for (const { state, count } of await countRolloutTenants(db, record.id)) tenants[state] += count
  const total = Object.values(tenants).reduce((sum, count) => sum + count, 0)
  return { ...record, tenants, total, done: total - tenants.pending - tenants.upgrading - tenants.restoring }
}
