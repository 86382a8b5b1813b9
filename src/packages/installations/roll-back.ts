import semver from "semver"
import type { DirectiveContext } from "../../directives/directive.ts"
import { FleetPromptError } from "../../errors.ts"
import type { JsonObject } from "../../signal/json.ts"
import { selectInstallation, selectLiveInstallations } from "../../store/installations.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import { carryOut, type Target } from "./carry-out.ts"
import type { RollbackParams } from "./install-params.ts"
import { type InstallerDeps, scopeOfInstallations, unknownInstallation } from "./installations-deps.ts"
import { dependentsOf, neededBy } from "./needs.ts"
import { bindingsOf, installationOf, readSnapshot, restoreRecords } from "./snapshot-rows.ts"

/** Makes a package what it was before its last upgrade; what the tenant keeps with its records stays. */
export async function rollBack(context: DirectiveContext<RollbackParams>, deps: InstallerDeps): Promise<JsonObject> {
  const { installation_id, package_slug } = context.params
  const scope = await scopeOfInstallations(context.tenant, deps)
  const version = await context.step("check", () => check(context.params, scope, deps))
  await carryOut({ context, scope, deps }, [await targetOf(context.params, scope, deps)])
  return { installation_id, package_slug, version }
}

/** @throws FleetPromptError `installation_unknown`, `installation_state`, `installation_needed` */
function check(params: RollbackParams, scope: TenantScope, { database }: InstallerDeps): Promise<string> {
  const { installation_id, package_slug, upgrade_id } = params
  return withinTenant(database, scope, async (tx) => {
    const found = await selectInstallation(tx, scope, installation_id)
    if (!found) throw unknownInstallation(installation_id)
    if (found.upgradeId !== upgrade_id)
      throw new FleetPromptError(
        "installation_state",
        `expected the last upgrade of ${package_slug} to be rolled back, got another one, or it was rolled back already; upgrade to the version that you want`,
      )
    const key = { installationId: installation_id, directiveId: upgrade_id, moment: "before" } as const
    // An upgrade begins with what is installed.
    const version = String(installationOf(await readSnapshot(tx, scope, key)).version)
    const needing = dependentsOf(package_slug, await selectLiveInstallations(tx, scope)).filter(
      ({ dependencies }) => !semver.satisfies(version, dependencies[package_slug] ?? "*"),
    )
    if (needing.length > 0)
      throw new FleetPromptError(
        "installation_needed",
        `expected ${package_slug} ${version} to do for all that need it: ${neededBy(package_slug, needing)}`,
      )
    return version
  })
}

function targetOf(params: RollbackParams, scope: TenantScope, { database }: InstallerDeps): Promise<Target> {
  const { installation_id: installationId, package_slug, upgrade_id: directiveId } = params
  return withinTenant(database, scope, async (tx): Promise<Target> => {
    const rows = await readSnapshot(tx, scope, { installationId, directiveId, moment: "before" })
    const { version, config, configChecksum, credentials, dependencies } = installationOf(rows)
    return {
      installationId,
      package: package_slug,
      version: String(version),
      change: "rollback",
      config,
      configChecksum,
      credentials,
      dependencies,
      installedFor: null,
      bindings: bindingsOf(rows),
      writeRecords: async (own) => restoreRecords(own, scope, installationId, rows),
    }
  })
}
