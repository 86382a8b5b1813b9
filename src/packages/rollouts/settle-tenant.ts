import { type DirectiveRecord, selectDirective } from "../../store/directives.ts"
import { noteUpgraded, type RolloutTenant } from "../../store/package-rollout-tenants.ts"
import type { RolloutRecord } from "../../store/package-rollouts.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import { scopeToRead } from "../installations/installations-deps.ts"
import type { RolloutsDeps } from "./rollouts-deps.ts"
import { eachByItself, type LeftAlone } from "./tenant-order.ts"

/** How long a tenant's directive may take before it counts as failed, milliseconds; it goes on nevertheless. */
const PATIENCE_MS = 900_000

/** Notes what came of a tenant's directive, if it has ended. */
export function settleTenant(rollout: RolloutRecord, row: RolloutTenant, deps: RolloutsDeps): Promise<void> {
  return eachByItself(rollout, row, deps, async () => {
    const scope = await scopeToRead(row.tenant, deps.installations)
    const directive = await withinTenant(deps.installations.database, scope, (tx) =>
      selectDirective(tx, scope, row.directiveId ?? ""),
    )
    return directive ? outcomeOf(directive, rollout, row, deps) : { state: "failed", reason: "its directive is gone" }
  })
}

async function outcomeOf(
  { id, status, errorMessage, completedAt }: DirectiveRecord,
  rollout: RolloutRecord,
  row: RolloutTenant,
  { database }: RolloutsDeps,
): Promise<LeftAlone | undefined> {
  switch (status) {
    case "completed":
      if (row.state === "restoring") return { state: "restored", reason: null }
      await noteUpgraded(database, rollout.id, row, completedAt)
      return undefined
    case "failed":
    case "cancelled":
      return { state: "failed", reason: `directive ${id} ${status}: ${errorMessage ?? "nobody said why"}` }
    case "requested":
    case "running":
      if ((row.underWayMs ?? 0) < PATIENCE_MS) return undefined
      return { state: "failed", reason: `directive ${id} did not end within ${PATIENCE_MS / 60_000} minutes` }
  }
}
