import semver from "semver"
import { FleetPromptError } from "../../errors.ts"
import type { Queryable } from "../../store/database.ts"
import { type InstallationRecord, selectLiveInstallations } from "../../store/installations.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"

/** Something that asks for ranges of versions. */
interface Needing {
  readonly package: string
  readonly dependencies: Readonly<Record<string, string>>
}

/**
 * Makes sure that packages have what they need, whatever became of the tenant since it was looked at. Within
 * `lockInstallations`.
 *
 * @throws FleetPromptError `installation_needs`
 */
export async function checkNeeds(tx: Queryable, scope: TenantScope, packages: readonly Needing[]): Promise<void> {
  const live = await selectLiveInstallations(tx, scope)
  const missing = packages.flatMap(({ package: slug, dependencies }) =>
    Object.entries(dependencies)
      .filter(([needed, range]) => !live.some((each) => each.package === needed && isOf(each, range)))
      .map(([needed, range]) => `${slug} needs ${needed} ${range}`),
  )
  if (missing.length === 0) return
  throw new FleetPromptError(
    "installation_needs",
    `expected what the packages need to be installed, ${missing.join("; ")}; install that, or ask again: something was changed meanwhile`,
  )
}

function isOf({ status, version, targetVersion }: InstallationRecord, range: string): boolean {
  const is = targetVersion ?? version
  return status !== "uninstalling" && is !== null && semver.satisfies(is, range)
}

/** Who needs a package, of those that live. */
export function dependentsOf(slug: string, live: readonly InstallationRecord[]): readonly InstallationRecord[] {
  return live.filter(({ dependencies, status }) => status !== "uninstalling" && Object.hasOwn(dependencies, slug))
}

/** @throws FleetPromptError `installation_needed`, which names who needs it */
export function refuseNeeded(slug: string, live: readonly InstallationRecord[]): void {
  const needing = dependentsOf(slug, live)
  if (needing.length === 0) return
  throw new FleetPromptError("installation_needed", neededBy(slug, needing))
}

/** Why a package may not be removed. */
export function neededBy(slug: string, needing: readonly InstallationRecord[]): string {
  const names = needing.map(
    (each) => `${each.package} ${each.version ?? each.targetVersion} (${each.dependencies[slug]})`,
  )
  return `expected ${slug} to be needed by no other package, it is by ${names.join(", ")}; uninstall ${names.length === 1 ? "that" : "those"} first`
}
