/**
 * Makes packages of a tenant what they are to be: the steps of `package.install`, `package.upgrade` and
 * `package.rollback`.
 *
 * Each step is one transaction with its own mark, so it is done once, whatever is cut when; each has an undo. Until the
 * last step nothing of a new package runs, and of one that is upgraded only its records are new. The last one switches
 * all of them at once. The row of an installation is the authority of what may be done with it, and whoever changes
 * which packages a tenant has takes turns.
 */
import type { DirectiveContext, StepCall, TransactionCall } from "../../directives/directive.ts"
import type { JsonObject, JsonValue } from "../../signal/json.ts"
import {
  disableBindings,
  enableBindings,
  type NewBinding,
  removeBindings,
  upsertBindings,
} from "../../store/bindings.ts"
import type { Queryable } from "../../store/database.ts"
import { deleteSnapshots } from "../../store/installation-snapshots.ts"
import {
  insertInstallation,
  type InstallationRecord,
  type InstallationStatus,
  lockInstallation,
  lockInstallations,
  updateInstallation,
} from "../../store/installations.ts"
import { deletePackageRecords } from "../../store/package-records.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { syncPackageSchedules } from "../../store/package-schedules.ts"
import { asTenant } from "../../store/roles.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import { checkNeeds } from "./needs.ts"
import { type InstallerDeps, wrongState } from "./installations-deps.ts"
import { installationOf, readSnapshot, restoreBindings, restoreRecords, takeSnapshot } from "./snapshot-rows.ts"

/** A package as it is to be. */
export interface Target {
  readonly installationId: string
  readonly package: string
  readonly version: string
  readonly change: "install" | "upgrade" | "rollback"
  readonly config: JsonObject
  readonly configChecksum: string
  readonly credentials: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  /** The installation that needs it; null: it is the one that was asked for. */
  readonly installedFor: string | null
  readonly bindings: readonly NewBinding[]
  /** Writes its records in place of those that there are. */
  readonly writeRecords: (tx: Queryable) => Promise<void>
}

/** For what, and with what. */
export interface Effort {
  readonly context: DirectiveContext
  readonly scope: TenantScope
  readonly deps: InstallerDeps
  /** What is done when all is there, before it is switched on: once it is, nothing may fail any more. */
  readonly beforeSwitch?: () => Promise<void>
}

/** Does it, all or nothing. @param targets each after what it needs */
export async function carryOut(effort: Effort, targets: readonly Target[]): Promise<void> {
  const { context, scope } = effort
  const total = targets.length + 2
  const before = await step(
    effort,
    "begin",
    (tx) => begin(tx, effort, targets),
    async (tx) => {
      await forEach(targets, (target) => endBeginning(tx, effort, target))
      await deleteSnapshots(tx, scope, context.id)
    },
  )
  for (const [at, target] of targets.entries()) {
    context.progress(at + 1, total, target.package)
    await step(
      effort,
      `records-${target.package}`,
      (tx) => target.writeRecords(tx),
      (tx) => undoRecords(tx, effort, target),
    )
    if (target.change === "install")
      await step(
        effort,
        `bindings-${target.package}`,
        (tx) => upsertBindings(tx, scope.slug, target.bindings),
        async (tx) => void (await removeBindings(tx, scope.slug, target.installationId)),
      )
  }
  await effort.beforeSwitch?.()
  await step(
    effort,
    "activate",
    (tx, call) => forEach(targets, (target) => activate(tx, effort, target, call, before)),
    (tx) => forEach(targets, (target) => deactivate(tx, effort, target)),
  )
  effort.deps.announcer.changed({ bindings: true })
  context.progress(total, total, "done")
}

/** A step in the tenant's name, with its undo. */
function step<Result extends JsonValue | void>(
  { context, scope, deps }: Effort,
  name: string,
  work: (tx: Queryable, call: TransactionCall) => Promise<Result>,
  undo: (tx: Queryable, call: StepCall) => Promise<void>,
): Promise<Result> {
  return context.transaction(name, (tx, call) => asTenant(tx, scope, () => work(tx, call)), {
    undo: async (_, call) => {
      await withinTenant(deps.database, scope, (tx) => undo(tx, call))
      deps.announcer.changed({ bindings: true })
    },
  })
}

async function forEach<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  for (const item of items) await work(item)
}

/** What the installations were before, by id; of new ones nothing. */
type Before = Readonly<Record<string, InstallationStatus>>

/** Keeps what the installations are, and takes them, so that nobody else does anything with them meanwhile. */
async function begin(tx: Queryable, effort: Effort, targets: readonly Target[]): Promise<Before> {
  await lockInstallations(tx, effort.scope)
  const before: [string, InstallationStatus][] = []
  for (const target of targets) {
    const status = await beginOne(tx, effort, target)
    if (status) before.push([target.installationId, status])
  }
  await checkNeeds(tx, effort.scope, targets)
  return Object.fromEntries(before)
}

async function beginOne(
  tx: Queryable,
  { context, scope }: Effort,
  target: Target,
): Promise<InstallationStatus | undefined> {
  const { installationId, version } = target
  const found = await lockInstallation(tx, scope, installationId)
  if (found) await takeSnapshot(tx, scope, { installationId, directiveId: context.id, moment: "before" })
  if (target.change === "install") {
    if (!found) return insertNew(tx, scope, target, context.id)
    if (found.status !== "queued" || found.directiveId !== context.id)
      throw wrongState("an installation that is to be made", target.package, found.status)
    const { dependencies } = target
    await updateInstallation(tx, scope, { ...found, status: "installing", dependencies })
    return undefined
  }
  if (!found || (found.status !== "active" && found.status !== "paused"))
    throw wrongState("a package that is active or paused", target.package, found?.status ?? "not installed")
  const { dependencies } = target
  // What it needs from now on is its dependencies at once, so that nobody removes one of them meanwhile.
  await updateInstallation(tx, scope, {
    ...found,
    status: "upgrading",
    targetVersion: version,
    directiveId: context.id,
    dependencies,
  })
  return found.status
}

async function insertNew(tx: Queryable, scope: TenantScope, target: Target, directiveId: string): Promise<undefined> {
  const { installationId, version, package: slug } = target
  const fresh = { ...target, id: installationId, targetVersion: version, status: "installing", directiveId } as const
  if (!(await insertInstallation(tx, scope, fresh)))
    throw wrongState("a package that is not installed", slug, "installed, or being installed")
  return undefined
}

/** A new one ends with its directive: a trigger sees to that. */
async function endBeginning(tx: Queryable, { context, scope }: Effort, target: Target): Promise<void> {
  const { installationId, change } = target
  if (change === "install") return
  const found = await lockInstallation(tx, scope, installationId)
  if (found?.status !== "upgrading" || found.directiveId !== context.id) return
  const key = { installationId, directiveId: context.id, moment: "before" } as const
  await updateInstallation(tx, scope, installationOf(await readSnapshot(tx, scope, key)))
  await syncPackageSchedules(tx, scope, installationId)
}

async function undoRecords(tx: Queryable, { context, scope }: Effort, target: Target): Promise<void> {
  const { installationId, change } = target
  if (change === "install") return deletePackageRecords(tx, scope, installationId)
  const key = { installationId, directiveId: context.id, moment: "before" } as const
  return restoreRecords(tx, scope, installationId, await readSnapshot(tx, scope, key))
}

async function activate(
  tx: Queryable,
  { context, scope }: Effort,
  target: Target,
  { emit }: TransactionCall,
  before: Before,
): Promise<void> {
  const { installationId, package: slug, version, config, configChecksum, credentials, dependencies } = target
  const found = await lockInstallation(tx, scope, installationId)
  if (!found || found.directiveId !== context.id)
    throw wrongState("its own installation", slug, found?.status ?? "gone")
  const status = before[installationId] ?? "active"
  const terms = { version, config, configChecksum, credentials, dependencies }
  await updateInstallation(tx, scope, {
    ...found,
    ...terms,
    status,
    targetVersion: null,
    upgradeId: target.change === "upgrade" ? context.id : null,
  })
  if (target.change === "install") await enableBindings(tx, scope.slug, installationId)
  else await rebind(tx, scope, target, status === "active")
  await syncPackageSchedules(tx, scope, installationId)
  await takeSnapshot(tx, scope, { installationId, directiveId: context.id, moment: "after" })
  if (target.installedFor !== null) await tellDependency(scope.slug, target, emit)
}

/** Deliveries that wait stay where they are, and run as the new binding of their name has it. */
async function rebind(tx: Queryable, { slug }: TenantScope, target: Target, isEnabled: boolean): Promise<void> {
  const bindings = target.bindings.map((binding) => ({ ...binding, isEnabled }))
  await removeBindings(
    tx,
    slug,
    target.installationId,
    bindings.map(({ handler }) => handler),
  )
  await upsertBindings(tx, slug, bindings)
}

/** What was installed since another package needs it is told too. */
async function tellDependency(tenant: string, target: Target, emit: TransactionCall["emit"]): Promise<void> {
  const { installationId, package: package_slug, version, installedFor, change } = target
  const data = { installation_id: installationId, package_slug, version, installed_for: installedFor }
  await emit(`package.${change}.completed`, data, {
    subject: `package_installation:${installationId}`,
    ...(change === "install" && { dedupeKey: `pkg_install_done:${tenant}:${installationId}:${version}` }),
  })
}

async function deactivate(tx: Queryable, { context, scope }: Effort, target: Target): Promise<void> {
  const { installationId } = target
  const found: InstallationRecord | undefined = await lockInstallation(tx, scope, installationId)
  if (!found || found.directiveId !== context.id || (found.status !== "active" && found.status !== "paused")) return
  if (target.change === "install") {
    await disableBindings(tx, scope.slug, installationId)
    await updateInstallation(tx, scope, { ...found, status: "installing" })
    return syncPackageSchedules(tx, scope, installationId)
  }
  const key = { installationId, directiveId: context.id, moment: "before" } as const
  const rows = await readSnapshot(tx, scope, key)
  await restoreBindings(tx, scope, installationId, rows)
  await updateInstallation(tx, scope, { ...installationOf(rows), status: "upgrading", directiveId: context.id })
}
