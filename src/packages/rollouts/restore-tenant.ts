import type { DirectiveRecord } from "../../store/directives.ts"
import { type InstallationRecord, selectLiveInstallation } from "../../store/installations.ts"
import { beginRolloutTenant, type RolloutTenant } from "../../store/package-rollout-tenants.ts"
import type { RolloutRecord } from "../../store/package-rollouts.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import { scopeOfInstallations } from "../installations/installations-deps.ts"
import { orderRollback } from "../installations/open-tenant-packages.ts"
import { orderMaking } from "../installations/order-making.ts"
import type { KeyedOrder } from "../installations/order-package.ts"
import { installationOf, readSnapshot } from "../installations/snapshot-rows.ts"
import type { RolloutsDeps } from "./rollouts-deps.ts"
import { eachByItself, orderedBefore, orderOf } from "./tenant-order.ts"

/** Orders that a tenant gets back what it had before the rollout, once, unless it was changed since. */
export function restoreTenant(rollout: RolloutRecord, row: RolloutTenant, deps: RolloutsDeps): Promise<void> {
  return eachByItself(rollout, row, deps, async () => {
    const order = orderOf("pkg_rollout_back", rollout, row)
    const scope = await scopeOfInstallations(row.tenant, deps.installations)
    const before = await orderedBefore(scope, order, deps)
    if (before) return begin(rollout, row, before, deps)
    const there = await withinTenant(deps.installations.database, scope, (tx) =>
      selectLiveInstallation(tx, scope, rollout.package),
    )
    if (!there) return { state: "kept", reason: "it was uninstalled since" }
    if (there.version !== row.upgradedTo) return { state: "kept", reason: `it got ${there.version} since` }
    return begin(rollout, row, await orderBack(rollout, row, there, scope, order, deps), deps)
  })
}

/** One upgrade is rolled back; what several made is undone by going to what was before the first. */
async function orderBack(
  { package: slug }: RolloutRecord,
  row: RolloutTenant,
  there: InstallationRecord,
  scope: TenantScope,
  order: KeyedOrder,
  { installations }: RolloutsDeps,
): Promise<DirectiveRecord> {
  if (there.upgradeId !== null && there.upgradeId === row.upgradedBy && row.firstDirectiveId === row.upgradedBy)
    return (await orderRollback(row.tenant, slug, order, installations)).directive
  const key = { installationId: there.id, directiveId: row.firstDirectiveId ?? "", moment: "before" } as const
  const rows = await withinTenant(installations.database, scope, (tx) => readSnapshot(tx, scope, key))
  const { version, config, credentials } = installationOf(rows)
  const wish = { slug, version: String(version), config, credentials }
  return (await orderMaking("upgrade", row.tenant, wish, order, installations)).directive
}

async function begin(
  { id }: RolloutRecord,
  row: RolloutTenant,
  { id: directiveId }: DirectiveRecord,
  { database }: RolloutsDeps,
): Promise<undefined> {
  const { fromVersion } = row
  await beginRolloutTenant(database, id, row, {
    state: "restoring",
    directiveId,
    targetVersion: fromVersion ?? "",
    fromVersion,
  })
  return undefined
}
