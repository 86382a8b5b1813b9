import type { DirectiveFailure, DirectiveTrail, TrailSignal, TrailStage } from "../../directives/directive.ts"
import type { JsonObject } from "../../signal/json.ts"
import type { InstallationParams, InstallParams, RollbackParams, UpgradeParams } from "./install-params.ts"
import { checksumOfParams, requestedSignalKey } from "./installation-keys.ts"

type AnyParams = InstallParams | UpgradeParams | InstallationParams | RollbackParams

/** Id of the installation that a directive is about; of an install that names none, its own. */
export function installationIdOf({ id, params }: { readonly id: string; readonly params: AnyParams }): string {
  return params.installation_id ?? id
}

/** The signals of `package.install`, under the keys that its contract names. */
export const installTrail: DirectiveTrail<InstallParams> = {
  requested: (stage) => about(stage, {}, requestedSignalKey(stage.params, stage)),
  started: (stage) => about(stage, {}, `pkg_install_start:${stage.tenant}:${installationIdOf(stage)}`),
  completed: (stage) => {
    const version = versionOf(stage.result) ?? stage.params.version
    return about(stage, { version }, `pkg_install_done:${stage.tenant}:${installationIdOf(stage)}:${version}`)
  },
  failed: (stage) =>
    about(stage, failed(stage.failure), `pkg_install_fail:${stage.tenant}:${installationIdOf(stage)}:${stage.attempt}`),
  cancelled: (stage) => about(stage, failed(stage.failure)),
}

/** The signals of what is done to an installation: `package.upgrade.completed`. */
export const changeTrail: DirectiveTrail<AnyParams> = {
  requested: (stage) => about(stage),
  started: (stage) => about(stage),
  completed: (stage) => {
    const version = versionOf(stage.result)
    return about(stage, version === undefined ? {} : { version })
  },
  failed: (stage) => about(stage, failed(stage.failure)),
  cancelled: (stage) => about(stage, failed(stage.failure)),
}

function about(stage: TrailStage<AnyParams>, more: JsonObject = {}, dedupeKey?: string): TrailSignal {
  const { id, params } = stage
  const installation_id = installationIdOf(stage)
  const wanted = "version" in params ? { version: params.version, config_checksum: checksumOfParams(params) } : {}
  const data = { installation_id, package_slug: params.package_slug, directive_id: id, ...wanted, ...more }
  return {
    data,
    subject: `package_installation:${installation_id}`,
    ...(dedupeKey !== undefined && { dedupeKey }),
  }
}

function failed({ kind, message }: DirectiveFailure): JsonObject {
  return { error_kind: kind, error_message: message }
}

/** What a run answered has it. */
function versionOf(result: unknown): string | undefined {
  if (typeof result !== "object" || result === null || !("version" in result)) return undefined
  return typeof result.version === "string" ? result.version : undefined
}
