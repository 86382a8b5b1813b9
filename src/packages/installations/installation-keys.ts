/**
 * Idempotency keys of the directives that install and change packages.
 *
 * The same order is the same directive. An order that is over may be given again: it failed, or what it did is not so
 * any more, as when a package that was disabled was enabled since. It is another one then, and its key ends in `:1`,
 * `:2` and so on: the `round` of the params, which the tenant's door counts in the transaction of the request.
 */
import type { InstallationParams, InstallParams, RollbackParams, UpgradeParams } from "./install-params.ts"
import { configChecksum } from "../config.ts"

/** What the key of a directive is made of, besides its params. */
interface Of {
  /** Slug of the tenant. */
  readonly tenant: string
}

/** The checksum of what is to be configured, as far as the params say it. */
export function checksumOfParams({ config_checksum, config = {} }: InstallParams | UpgradeParams): string {
  // Without the package's schema nothing is left out of it.
  return config_checksum ?? configChecksum({ config: true }, config)
}

/** `dir:pkg_install:{tenant}:{package_slug}:{version}:{config_checksum}` */
export function installKey(params: InstallParams, { tenant }: Of): string {
  const { package_slug, version, round } = params
  return nth(`dir:pkg_install:${tenant}:${package_slug}:${version}:${checksumOfParams(params)}`, round)
}

/** `pkg_install_req:{tenant}:{package_slug}:{version}:{config_checksum}`, of the signal that tells of the request. */
export function requestedSignalKey(params: InstallParams, { tenant }: Of): string {
  const { package_slug, version, round } = params
  return nth(`pkg_install_req:${tenant}:${package_slug}:${version}:${checksumOfParams(params)}`, round)
}

/** `dir:pkg_upgrade:{tenant}:{installation_id}:{version}:{config_checksum}` */
export function upgradeKey(params: UpgradeParams, { tenant }: Of): string {
  const { installation_id, version, round } = params
  return nth(`dir:pkg_upgrade:${tenant}:${installation_id}:${version}:${checksumOfParams(params)}`, round)
}

/** `dir:pkg_rollback:{tenant}:{installation_id}:{upgrade_id}` */
export function rollbackKey({ installation_id, upgrade_id, round }: RollbackParams, { tenant }: Of): string {
  return nth(`dir:pkg_rollback:${tenant}:${installation_id}:${upgrade_id}`, round)
}

/** `dir:pkg_toggle:{tenant}:{installation_id}:{target_state}` */
export function toggleKey(target: "active" | "paused") {
  return ({ installation_id, round }: InstallationParams, { tenant }: Of): string =>
    nth(`dir:pkg_toggle:${tenant}:${installation_id}:${target}`, round)
}

/** `dir:pkg_uninstall:{tenant}:{installation_id}` */
export function uninstallKey({ installation_id, round }: InstallationParams, { tenant }: Of): string {
  return nth(`dir:pkg_uninstall:${tenant}:${installation_id}`, round)
}

function nth(key: string, round = 0): string {
  return round === 0 ? key : `${key}:${round}`
}
