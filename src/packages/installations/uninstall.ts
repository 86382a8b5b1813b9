import type { DirectiveContext, TransactionCall } from "../../directives/directive.ts"
import type { JsonObject, JsonValue } from "../../signal/json.ts"
import { removeBindings } from "../../store/bindings.ts"
import type { Queryable } from "../../store/database.ts"
import { deleteSnapshots } from "../../store/installation-snapshots.ts"
import {
  lockInstallation,
  lockInstallations,
  selectLiveInstallations,
  updateInstallation,
} from "../../store/installations.ts"
import { deletePackageRecords } from "../../store/package-records.ts"
import { syncPackageSchedules } from "../../store/package-schedules.ts"
import { asTenant } from "../../store/roles.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import type { InstallationParams } from "./install-params.ts"
import { type InstallerDeps, scopeOfInstallations, unknownInstallation, wrongState } from "./installations-deps.ts"
import { refuseNeeded } from "./needs.ts"
import { installationOf, readSnapshot, takeSnapshot } from "./snapshot-rows.ts"

/**
 * Removes a package: its bindings and exactly what it made. Deliveries of its bindings that wait are cancelled by whoever
 * claims them.
 */
export async function uninstall(
  context: DirectiveContext<InstallationParams>,
  deps: InstallerDeps,
): Promise<JsonObject> {
  const { installation_id: installationId, package_slug } = context.params
  const scope = await scopeOfInstallations(context.tenant, deps)
  const key = { installationId, directiveId: context.id } as const
  const step = <Result extends JsonValue | void>(
    name: string,
    work: (tx: Queryable, call: TransactionCall) => Promise<Result>,
    undo?: (tx: Queryable) => Promise<void>,
  ) =>
    context.transaction(name, (tx, call) => asTenant(tx, scope, () => work(tx, call)), {
      ...(undo && { undo: () => withinTenant(deps.database, scope, undo) }),
    })
  await step(
    "begin",
    (tx) => begin(tx, scope, context.params, context.id),
    async (tx) => {
      await goBack(tx, scope, key)
      await deleteSnapshots(tx, scope, context.id)
    },
  )
  // What it was is kept in the snapshot; from here nothing leads back.
  await step("remove", (tx) => remove(tx, scope, key))
  deps.announcer.changed({ bindings: true })
  return { installation_id: installationId, package_slug }
}

async function begin(
  tx: Queryable,
  scope: TenantScope,
  { installation_id, package_slug }: InstallationParams,
  directiveId: string,
): Promise<void> {
  await lockInstallations(tx, scope)
  const found = await lockInstallation(tx, scope, installation_id)
  if (!found) throw unknownInstallation(installation_id)
  if (found.status !== "active" && found.status !== "paused")
    throw wrongState("a package that is active or paused", package_slug, found.status)
  refuseNeeded(package_slug, await selectLiveInstallations(tx, scope))
  await takeSnapshot(tx, scope, { installationId: installation_id, directiveId, moment: "before" })
  await updateInstallation(tx, scope, { ...found, status: "uninstalling", directiveId })
}

interface Key {
  readonly installationId: string
  readonly directiveId: string
}

async function goBack(tx: Queryable, scope: TenantScope, key: Key): Promise<void> {
  const found = await lockInstallation(tx, scope, key.installationId)
  if (found?.status !== "uninstalling" || found.directiveId !== key.directiveId) return
  await updateInstallation(tx, scope, installationOf(await readSnapshot(tx, scope, { ...key, moment: "before" })))
}

async function remove(tx: Queryable, scope: TenantScope, key: Key): Promise<void> {
  const found = await lockInstallation(tx, scope, key.installationId)
  if (!found) throw unknownInstallation(key.installationId)
  await removeBindings(tx, scope.slug, key.installationId)
  await deletePackageRecords(tx, scope, key.installationId)
  await updateInstallation(tx, scope, { ...found, status: "uninstalled", upgradeId: null })
  await syncPackageSchedules(tx, scope, key.installationId)
  await takeSnapshot(tx, scope, { ...key, moment: "after" })
}
