import type { DirectiveRecord } from "../../store/directives.ts"
import { FleetPromptError } from "../../errors.ts"
import { isUuid } from "../../signal/id.ts"
import type { JsonValue } from "../../signal/json.ts"
import { selectBindingsOf } from "../../store/bindings.ts"
import type { Queryable } from "../../store/database.ts"
import { selectSnapshots } from "../../store/installation-snapshots.ts"
import {
  type InstallationRecord,
  selectInstallation,
  selectInstallations,
  selectLiveInstallation,
} from "../../store/installations.ts"
import { selectPackageRecords } from "../../store/package-records.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import { executeAction } from "./execute-action.ts"
import type { InstallationParams } from "./install-params.ts"
import { rollbackKey, toggleKey, uninstallKey } from "./installation-keys.ts"
import type { InstallationPlan } from "./installation-plan.ts"
import { type InstallationsDeps, scopeOfInstallations, scopeToRead, unknownInstallation } from "./installations-deps.ts"
import { neededProblem, orderMaking } from "./order-making.ts"
import { admit, type KeyedOrder, orderPackage } from "./order-package.ts"
import { checkWanted, planMaking, planUninstall } from "./plan.ts"
import type {
  ExecuteOptions,
  InstallationDetail,
  InstallationListOptions,
  InstallationPage,
  PackageOrder,
  PackageOrdered,
  PackageWish,
  PlanRequest,
  TenantPackages,
} from "./tenant-packages.ts"

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
const MAX_HISTORY = 100

/** One tenant's packages. */
export function openTenantPackages(slug: string, deps: () => InstallationsDeps): TenantPackages {
  const read = async <Result>(run: (tx: Queryable, scope: TenantScope) => Promise<Result>): Promise<Result> => {
    const scope = await scopeToRead(slug, deps())
    return withinTenant(deps().database, scope, (tx) => run(tx, scope))
  }
  return Object.freeze({
    plan: async (request: PlanRequest) => planOf(slug, request, deps()),
    install: async (wish: PackageWish, order: PackageOrder = {}) => orderMaking("install", slug, wish, order, deps()),
    upgrade: async (wish: PackageWish, order: PackageOrder = {}) => orderMaking("upgrade", slug, wish, order, deps()),
    rollback: async (packageSlug: string, order: PackageOrder = {}) => orderRollback(slug, packageSlug, order, deps()),
    enable: async (packageSlug: string, order: PackageOrder = {}) =>
      orderToggle(slug, packageSlug, "active", order, deps()),
    disable: async (packageSlug: string, order: PackageOrder = {}) =>
      orderToggle(slug, packageSlug, "paused", order, deps()),
    uninstall: async (packageSlug: string, order: PackageOrder = {}) =>
      orderUninstall(slug, packageSlug, order, deps()),
    list: async (options: InstallationListOptions = {}) => listInstallations(options, read),
    get: async (slugOrId: string) => read((tx, scope) => detailOf(tx, scope, slugOrId)),
    execute: async (packageSlug: string, action: string, input: JsonValue, options: ExecuteOptions = {}) =>
      executeAction(slug, { package: packageSlug, action, input }, options, deps()),
  })
}

/** What an install, an upgrade or an uninstall would do. */
export async function planOf(
  tenant: string,
  { action, ...wish }: PlanRequest,
  deps: InstallationsDeps,
): Promise<InstallationPlan> {
  const wanted = { ...wish, version: wish.version ?? "latest" }
  checkWanted(wanted)
  const scope = await scopeOfInstallations(tenant, deps)
  const there = await liveOf(scope, wish.slug, deps)
  if (action === "uninstall") {
    if (!there) throw unknownInstallation(wish.slug)
    return planUninstall(there, scope, deps)
  }
  const { plan } = await planMaking(action ?? (there ? "upgrade" : "install"), wanted, scope, deps)
  return plan
}

function liveOf(
  scope: TenantScope,
  packageSlug: string,
  { database }: InstallationsDeps,
): Promise<InstallationRecord | undefined> {
  return withinTenant(database, scope, (tx) => selectLiveInstallation(tx, scope, packageSlug))
}

async function knownOf(scope: TenantScope, slug: string, deps: InstallationsDeps): Promise<InstallationRecord> {
  const found = await liveOf(scope, slug, deps)
  if (found) return found
  throw unknownInstallation(slug)
}

function installationIdOf({ params }: DirectiveRecord): string {
  // Params of what is done to an installation name it.
  return (params as InstallationParams).installation_id
}

async function orderToggle(
  tenant: string,
  slug: string,
  target: "active" | "paused",
  order: PackageOrder,
  deps: InstallationsDeps,
): Promise<PackageOrdered> {
  await admit("installations:change", tenant, order, deps)
  const scope = await scopeOfInstallations(tenant, deps)
  const { id } = await knownOf(scope, slug, deps)
  return orderPackage(
    scope,
    {
      type: target === "active" ? "package.enable" : "package.disable",
      params: { installation_id: id, package_slug: slug },
      key: toggleKey(target),
      isSo: async (tx) => (await selectInstallation(tx, scope, id))?.status === target,
      check: () => {},
      installationIdOf,
    },
    order,
    deps,
  )
}

async function orderUninstall(
  tenant: string,
  slug: string,
  order: PackageOrder,
  deps: InstallationsDeps,
): Promise<PackageOrdered> {
  await admit("installations:remove", tenant, order, deps)
  const scope = await scopeOfInstallations(tenant, deps)
  const newest = await newestOf(scope, slug, deps)
  const plan = await planUninstall(newest, scope, deps)
  return orderPackage(
    scope,
    {
      type: "package.uninstall",
      params: { installation_id: newest.id, package_slug: slug },
      key: uninstallKey,
      plan,
      isSo: async (tx) => (await selectInstallation(tx, scope, newest.id))?.status === "uninstalled",
      check: () => {
        if (newest.status === "uninstalled") throw unknownInstallation(slug)
        const [problem] = plan.problems
        if (problem) throw neededProblem(problem)
      },
      installationIdOf,
    },
    order,
    deps,
  )
}

/** The one that lives, or the last one that was uninstalled: asking twice is no mistake. */
function newestOf(scope: TenantScope, slug: string, { database }: InstallationsDeps): Promise<InstallationRecord> {
  return withinTenant(database, scope, async (tx) => {
    const filter = { package: slug, status: "uninstalled", ended: true, before: null, limit: 1 } as const
    const found = (await selectLiveInstallation(tx, scope, slug)) ?? (await selectInstallations(tx, scope, filter))[0]
    if (found) return found
    throw unknownInstallation(slug)
  })
}

/** Orders that a package becomes what it was before its last upgrade. */
export async function orderRollback(
  tenant: string,
  slug: string,
  order: KeyedOrder,
  deps: InstallationsDeps,
): Promise<PackageOrdered> {
  await admit("installations:change", tenant, order, deps)
  const scope = await scopeOfInstallations(tenant, deps)
  const { id, upgradeId, status } = await knownOf(scope, slug, deps)
  if (upgradeId === null)
    throw new FleetPromptError(
      "installation_state",
      `expected a package with an upgrade to roll back, ${slug} (${status}) was not upgraded since it was installed or rolled back; upgrade to the version that you want`,
    )
  return orderPackage(
    scope,
    {
      type: "package.rollback",
      params: { installation_id: id, package_slug: slug, upgrade_id: upgradeId } as const,
      key: rollbackKey,
      isSo: async () => false,
      check: () => {},
      installationIdOf,
    },
    order,
    deps,
  )
}

async function detailOf(tx: Queryable, scope: TenantScope, slugOrId: string): Promise<InstallationDetail | undefined> {
  const installation = isUuid(slugOrId)
    ? await selectInstallation(tx, scope, slugOrId)
    : await selectLiveInstallation(tx, scope, slugOrId)
  if (!installation) return undefined
  const { id } = installation
  return {
    installation,
    records: await selectPackageRecords(tx, scope, id),
    bindings: await selectBindingsOf(tx, scope.slug, id),
    history: await selectSnapshots(tx, scope, id, MAX_HISTORY),
  }
}

async function listInstallations(
  options: InstallationListOptions,
  read: <Result>(run: (tx: Queryable, scope: TenantScope) => Promise<Result>) => Promise<Result>,
): Promise<InstallationPage> {
  const { limit = DEFAULT_LIMIT, before, status, ended = false } = options
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw new FleetPromptError(
      "query_invalid",
      `expected a whole number from 1 to ${MAX_LIMIT} as limit, got something else`,
    )
  if (before !== undefined && !isUuid(before))
    throw new FleetPromptError("query_invalid", "expected the next of an earlier page as before, got something else")
  const isOver = status === "failed" || status === "uninstalled"
  const filter = {
    package: options.package ?? null,
    status: status ?? null,
    ended: ended || isOver,
    before: before ?? null,
    limit,
  }
  const installations = await read((tx, scope) => selectInstallations(tx, scope, filter))
  return { installations, next: installations.length < limit ? null : (installations.at(-1)?.id ?? null) }
}
