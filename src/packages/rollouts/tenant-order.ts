import { isFleetPromptError } from "../../errors.ts"
import { type DirectiveRecord, selectDirectiveByKey } from "../../store/directives.ts"
import { endRolloutTenant, type RolloutTenant, type RolloutTenantState } from "../../store/package-rollout-tenants.ts"
import type { RolloutRecord } from "../../store/package-rollouts.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { isTransient } from "../../store/transient.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import type { KeyedOrder } from "../installations/order-package.ts"
import type { RolloutsDeps } from "./rollouts-deps.ts"

/** Nothing is to be done for a tenant, and why. */
export interface LeftAlone {
  readonly state: RolloutTenantState
  readonly reason: string | null
}

/** By which a tenant's directive of a rollout is known again, and what is kept with it. */
export function orderOf(kind: "pkg_rollout" | "pkg_rollout_back", rollout: RolloutRecord, row: RolloutTenant) {
  return {
    idempotencyKey: `dir:${kind}:${row.tenant}:${rollout.id}:${row.round}`,
    correlationId: rollout.id,
    reason: kind === "pkg_rollout" ? `rollout ${rollout.id}` : `rollout ${rollout.id} is rolled back`,
  } satisfies KeyedOrder
}

/** The directive that an earlier pass ordered, before it was cut. */
export function orderedBefore(
  scope: TenantScope,
  { idempotencyKey }: KeyedOrder,
  { installations }: RolloutsDeps,
): Promise<DirectiveRecord | undefined> {
  if (idempotencyKey === undefined) return Promise.resolve(undefined)
  return withinTenant(installations.database, scope, (tx) => selectDirectiveByKey(tx, scope, idempotencyKey))
}

/** What stands in the way of one tenant stops no other: it is noted with the tenant, unless it goes away by itself. */
export async function eachByItself(
  rollout: RolloutRecord,
  row: RolloutTenant,
  { database }: RolloutsDeps,
  work: () => Promise<LeftAlone | undefined>,
): Promise<void> {
  const left = await work().catch((error: unknown) => leftBy(error))
  if (left) await endRolloutTenant(database, rollout.id, row, left.state, left.reason)
}

const MAX_REASON = 1_000
const STATES: Readonly<Record<string, RolloutTenantState>> = {
  tenant_suspended: "suspended",
  tenant_unknown: "absent",
  installation_unknown: "absent",
}

function leftBy(error: unknown): LeftAlone {
  if (isTransient(error)) throw error
  const message = error instanceof Error ? error.message : String(error)
  const state = isFleetPromptError(error) ? STATES[error.code] : undefined
  return { state: state ?? "failed", reason: message.slice(0, MAX_REASON) }
}
