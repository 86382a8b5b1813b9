import { FleetPromptError } from "../../errors.ts"
import type { DirectiveRecord } from "../../store/directives.ts"
import { insertInstallation, type NewInstallation, selectLiveInstallation } from "../../store/installations.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { canonicalText } from "../canonical.ts"
import type { AssessedPackage } from "./assess.ts"
import type { InstallParams, UpgradeParams } from "./install-params.ts"
import { installKey, upgradeKey } from "./installation-keys.ts"
import type { InstallationPlan, PlanProblem } from "./installation-plan.ts"
import { type InstallationsDeps, scopeOfInstallations, unknownInstallation, wrongState } from "./installations-deps.ts"
import { admit, type KeyedOrder, orderPackage } from "./order-package.ts"
import { checkWanted, planMaking } from "./plan.ts"
import { refused } from "./targets.ts"
import type { PackageOrdered, PackageWish } from "./tenant-packages.ts"

/** Orders an install or an upgrade: plans it, and requests the directive with the plan. */
export async function orderMaking(
  action: "install" | "upgrade",
  tenant: string,
  wish: PackageWish,
  order: KeyedOrder,
  deps: InstallationsDeps,
): Promise<PackageOrdered> {
  const wanted = { ...wish, version: wish.version ?? "latest" }
  checkWanted(wanted)
  await admit(action === "install" ? "installations:create" : "installations:change", tenant, order, deps)
  const scope = await scopeOfInstallations(tenant, deps)
  const { plan, main } = await planMaking(action, wanted, scope, deps)
  if (!main) throw refused(action, wish.slug, plan.problems)
  const making: Making = { wish, plan, main, scope, order, deps }
  return action === "install" ? orderInstall(making) : orderUpgrade(making)
}

interface Making {
  readonly wish: PackageWish
  readonly plan: InstallationPlan
  readonly main: AssessedPackage
  readonly scope: TenantScope
  readonly order: KeyedOrder
  readonly deps: InstallationsDeps
}

function paramsOf({ wish, main }: Making) {
  const given = Object.entries(wish.credentials ?? {}).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return {
    package_slug: wish.slug,
    version: main.step.version,
    config: main.config,
    config_checksum: main.checksum,
    ...(given.length > 0 && { credentials: given.map(([name, id]) => ({ name, id })) }),
  }
}

/** The installation is there from the request on, under the directive's id. */
function orderInstall(making: Making): Promise<PackageOrdered> {
  const { plan, main, scope, order, deps } = making
  const { slug, version } = main.step
  return orderPackage<InstallParams>(
    scope,
    {
      type: "package.install",
      params: paramsOf(making),
      key: installKey,
      plan,
      isSo: async (tx) => isOf(await selectLiveInstallation(tx, scope, slug), main),
      check: () => refuse(plan),
      store: async (tx, { id }: DirectiveRecord) => {
        const fresh: NewInstallation = {
          id,
          directiveId: id,
          package: slug,
          targetVersion: version,
          installedFor: null,
          status: "queued",
          config: main.config,
          configChecksum: main.checksum,
          credentials: main.credentials,
          dependencies: main.manifest.dependencies ?? {},
        }
        if (!(await insertInstallation(tx, scope, fresh)))
          throw wrongState("a package that is not installed", slug, "installed, or being installed")
      },
      installationIdOf: ({ id }) => id,
    },
    order,
    deps,
  )
}

function orderUpgrade(making: Making): Promise<PackageOrdered> {
  const { plan, main, scope, order, deps, wish } = making
  const { installation } = main
  if (!installation) throw unknownInstallation(wish.slug)
  return orderPackage<UpgradeParams>(
    scope,
    {
      type: "package.upgrade",
      params: { ...paramsOf(making), installation_id: installation.id },
      key: upgradeKey,
      plan,
      isSo: async (tx) => {
        const there = await selectLiveInstallation(tx, scope, wish.slug)
        return isOf(there, main) && canonicalText(there?.credentials ?? {}) === canonicalText(main.credentials)
      },
      check: () => refuse(plan),
      installationIdOf: () => installation.id,
    },
    order,
    deps,
  )
}

/** Whether an installation is what is wanted, or is becoming it. */
function isOf(there: Awaited<ReturnType<typeof selectLiveInstallation>>, { step, checksum }: AssessedPackage): boolean {
  return there?.configChecksum === checksum && there.version === step.version
}

function refuse({ action, package: slug, problems }: InstallationPlan): void {
  if (problems.length > 0) throw refused(action, slug, problems)
}

/** Why a package is not removed. */
export function neededProblem({ kind, message }: PlanProblem): FleetPromptError {
  return new FleetPromptError(kind === "dependents" ? "installation_needed" : "installation_state", message)
}
