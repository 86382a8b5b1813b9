import { defineDirective } from "../../directives/define-directive.ts"
import type { Directive, DirectiveContext } from "../../directives/directive.ts"
import type { JsonObject } from "../../signal/json.ts"
import { isTransient } from "../../store/transient.ts"
import type { WantedPackage } from "./assess.ts"
import { carryOut } from "./carry-out.ts"
import {
  installationParams,
  installParams,
  type InstallParams,
  rollbackParams,
  upgradeParams,
  type UpgradeParams,
} from "./install-params.ts"
import { installKey, rollbackKey, toggleKey, uninstallKey, upgradeKey } from "./installation-keys.ts"
import { changeTrail, installTrail } from "./installation-trail.ts"
import { type InstallerDeps, scopeOfInstallations } from "./installations-deps.ts"
import { rollBack } from "./roll-back.ts"
import { findTargets, targetsOf } from "./targets.ts"
import { toggle } from "./toggle.ts"
import { uninstall } from "./uninstall.ts"

/** What does not go away by itself is not tried again. */
const retry = { when: isTransient }

/** The directives that install and change packages. Every fleet has them. */
export function installationDirectives(deps: () => InstallerDeps): readonly Directive[] {
  return [
    defineDirective({
      type: "package.install",
      params: installParams,
      idempotencyKey: installKey,
      trail: installTrail,
      retry,
      run: (context) => make("install", context, context.params.installation_id ?? context.id, deps()),
    }),
    defineDirective({
      type: "package.upgrade",
      params: upgradeParams,
      idempotencyKey: upgradeKey,
      trail: changeTrail,
      retry,
      run: (context) => make("upgrade", context, context.params.installation_id, deps()),
    }),
    defineDirective({
      type: "package.rollback",
      params: rollbackParams,
      idempotencyKey: rollbackKey,
      trail: changeTrail,
      retry,
      run: (context) => rollBack(context, deps()),
    }),
    defineDirective({
      type: "package.enable",
      params: installationParams,
      idempotencyKey: toggleKey("active"),
      trail: changeTrail,
      retry,
      run: (context) => toggle(context, "active", deps()),
    }),
    defineDirective({
      type: "package.disable",
      params: installationParams,
      idempotencyKey: toggleKey("paused"),
      trail: changeTrail,
      retry,
      run: (context) => toggle(context, "paused", deps()),
    }),
    defineDirective({
      type: "package.uninstall",
      params: installationParams,
      idempotencyKey: uninstallKey,
      trail: changeTrail,
      retry,
      run: (context) => uninstall(context, deps()),
    }),
  ]
}

/** Installs or upgrades a package, with what it needs. */
async function make(
  action: "install" | "upgrade",
  context: DirectiveContext<InstallParams> | DirectiveContext<UpgradeParams>,
  installationId: string,
  deps: InstallerDeps,
): Promise<JsonObject> {
  const { params } = context
  const scope = await scopeOfInstallations(context.tenant, deps)
  const wanted = wantedOf(params, action === "install" ? installationId : undefined)
  const found = await context.step("check", () => findTargets(scope, action, wanted, installationId, deps))
  const targets = await targetsOf(found, wanted, scope, deps)
  const beforeSwitch = () =>
    context.step("count", async () => {
      for (const { package: slug, version } of found) await deps.shelf.countInstall(context.tenant, slug, version)
    })
  await carryOut({ context, scope, deps, beforeSwitch }, targets)
  const main = found.find(({ installationId: id }) => id === installationId)
  const others = found.filter((each) => each !== main).map((each) => `${each.package} ${each.version}`)
  return {
    installation_id: installationId,
    package_slug: params.package_slug,
    version: main?.version ?? params.version,
    ...(others.length > 0 && { with: others }),
  }
}

function wantedOf(params: InstallParams | UpgradeParams, installationId: string | undefined): WantedPackage {
  const { package_slug: slug, version, config, credentials } = params
  const given = credentials && Object.fromEntries(credentials.map(({ name, id }) => [name, id]))
  return { slug, version, config, credentials: given, installationId }
}
