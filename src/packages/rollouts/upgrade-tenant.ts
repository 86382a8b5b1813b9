import semver from "semver"
import type { DirectiveRecord } from "../../store/directives.ts"
import { selectLiveInstallation } from "../../store/installations.ts"
import { beginRolloutTenant, type RolloutTenant } from "../../store/package-rollout-tenants.ts"
import type { RolloutRecord } from "../../store/package-rollouts.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import { scopeOfInstallations } from "../installations/installations-deps.ts"
import { orderMaking } from "../installations/order-making.ts"
import type { RolloutsDeps } from "./rollouts-deps.ts"
import { eachByItself, type LeftAlone, orderedBefore, orderOf } from "./tenant-order.ts"

/** Orders a tenant's upgrade, once, or notes why there is none. */
export function upgradeTenant(rollout: RolloutRecord, row: RolloutTenant, deps: RolloutsDeps): Promise<void> {
  return eachByItself(rollout, row, deps, async () => {
    const order = orderOf("pkg_rollout", rollout, row)
    const scope = await scopeOfInstallations(row.tenant, deps.installations)
    const before = await orderedBefore(scope, order, deps)
    if (before) return begin(rollout, row, before, deps)
    const there = await withinTenant(deps.installations.database, scope, (tx) =>
      selectLiveInstallation(tx, scope, rollout.package),
    )
    if (!there) return { state: "absent", reason: `it does not have ${rollout.package}` }
    const left = leftAlone(there.version, rollout, row)
    if (left) return left
    const wish = { slug: rollout.package, version: rollout.version }
    const { directive } = await orderMaking("upgrade", row.tenant, wish, order, deps.installations)
    return begin(rollout, row, directive, deps)
  })
}

/** A tenant that went ahead by itself is not taken back. */
function leftAlone(version: string | null, rollout: RolloutRecord, row: RolloutTenant): LeftAlone | undefined {
  if (version === rollout.version) return { state: "unchanged", reason: `it has ${version}` }
  const isAhead = version !== null && semver.gt(version, rollout.version)
  return isAhead && row.upgradedTo === null
    ? { state: "unchanged", reason: `it has ${version}, a later one` }
    : undefined
}

async function begin(
  { id, version }: RolloutRecord,
  row: RolloutTenant,
  directive: DirectiveRecord,
  { database }: RolloutsDeps,
): Promise<undefined> {
  await beginRolloutTenant(database, id, row, {
    state: "upgrading",
    directiveId: directive.id,
    targetVersion: version,
    fromVersion: fromOf(directive),
  })
  return undefined
}

/** What the tenant had, as the plan says that is kept with the directive. */
function fromOf({ plan }: DirectiveRecord): string | null {
  const from = typeof plan === "object" && plan !== null && "from" in plan ? plan.from : null
  return typeof from === "string" ? from : null
}
