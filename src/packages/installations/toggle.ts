import type { DirectiveContext } from "../../directives/directive.ts"
import type { JsonObject } from "../../signal/json.ts"
import { disableBindings, enableBindings } from "../../store/bindings.ts"
import type { Queryable } from "../../store/database.ts"
import { lockInstallation, updateInstallation } from "../../store/installations.ts"
import { syncPackageSchedules } from "../../store/package-schedules.ts"
import { asTenant } from "../../store/roles.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import type { InstallationParams } from "./install-params.ts"
import { type InstallerDeps, scopeOfInstallations, unknownInstallation, wrongState } from "./installations-deps.ts"

/** Has a package run, or not run: its state and its bindings in one commit. Deliveries that wait stay. */
export async function toggle(
  context: DirectiveContext<InstallationParams>,
  status: "active" | "paused",
  { database, placements, announcer }: InstallerDeps,
): Promise<JsonObject> {
  const { params, id } = context
  const scope = await scopeOfInstallations(context.tenant, { placements })
  const undone = status === "active" ? "paused" : "active"
  await context.transaction("toggle", (tx) => asTenant(tx, scope, () => set(tx, scope, params, status, id)), {
    undo: async ({ isChanged }) => {
      if (isChanged) await withinTenant(database, scope, (tx) => set(tx, scope, params, undone, id))
      announcer.changed({ bindings: true })
    },
  })
  announcer.changed({ bindings: true })
  return { installation_id: params.installation_id, package_slug: params.package_slug, status }
}

async function set(
  tx: Queryable,
  scope: TenantScope,
  { installation_id, package_slug }: InstallationParams,
  status: "active" | "paused",
  directiveId: string,
): Promise<{ readonly isChanged: boolean }> {
  const found = await lockInstallation(tx, scope, installation_id)
  if (!found) throw unknownInstallation(installation_id)
  if (found.status === status) return { isChanged: false }
  if (found.status !== "active" && found.status !== "paused")
    throw wrongState("a package that is active or paused", package_slug, found.status)
  await updateInstallation(tx, scope, { ...found, status, directiveId })
  const change = status === "active" ? enableBindings : disableBindings
  await change(tx, scope.slug, installation_id)
  await syncPackageSchedules(tx, scope, installation_id)
  return { isChanged: true }
}
