import { type ActingOptions, system } from "../access/acting.ts"
import { appendPlatformAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import { textFault } from "../signal/json.ts"
import { lockPackage } from "../store/packages.ts"
import {
  type PackageVersionRecord,
  type PackageVersionStatus,
  selectPackageVersion,
  updatePackageVersionStatus,
} from "../store/package-versions.ts"
import type { CatalogueDeps } from "./catalogue-deps.ts"
import { relist } from "./publish.ts"

/** Options of what changes a version's status. */
export interface VersionChangeOptions extends ActingOptions {
  /** Why, for people and the audit log; at most 500 characters. */
  readonly reason?: string
}

/** From which status to which. */
const CHANGES = {
  deprecate: { from: "published", to: "deprecated" },
  undeprecate: { from: "deprecated", to: "published" },
  yank: { from: undefined, to: "yanked" },
  unyank: { from: "yanked", to: "published" },
} as const satisfies Readonly<
  Record<string, { readonly from: PackageVersionStatus | undefined; readonly to: PackageVersionStatus }>
>

const MAX_REASON = 500

/**
 * Gives a version another status. One that is not in the status from which the change leads stays as it is: so it is
 * safe to repeat.
 *
 * @throws FleetPromptError `package_unknown`, `forbidden`, `query_invalid`
 */
export async function changeVersion(
  action: keyof typeof CHANGES,
  slug: string,
  version: string,
  { by = system, reason }: VersionChangeOptions,
  { database }: CatalogueDeps,
): Promise<PackageVersionRecord> {
  by.authorise("packages:publish", {})
  const why = checkReason(reason)
  const { from, to } = CHANGES[action]
  return database.transaction(async (tx) => {
    await lockPackage(tx, slug)
    const there = await selectPackageVersion(tx, slug, version)
    if (!there) throw versionUnknown(slug, version)
    if (there.status === to || (from !== undefined && there.status !== from)) return there
    const changed = await updatePackageVersionStatus(tx, slug, version, to, to === "published" ? null : why)
    await relist(tx, slug)
    const details = { version, ...(why !== null && { reason: why }) }
    await appendPlatformAudit(tx, [
      { action: `package.${action}`, resource: `package:${slug}`, actor: by.actor, details },
    ])
    // The package is locked.
    return changed as PackageVersionRecord
  })
}

function checkReason(reason: string | undefined): string | null {
  if (reason === undefined || reason === "") return null
  if (typeof reason === "string" && reason.length <= MAX_REASON && textFault(reason) === undefined) return reason
  throw new FleetPromptError("query_invalid", `expected a reason of at most ${MAX_REASON} characters, got another`, {
    path: "reason",
  })
}

/** There is no such version. */
export function versionUnknown(slug: string, version: string): FleetPromptError {
  return new FleetPromptError(
    "package_unknown",
    `expected a version that the catalogue has, got ${JSON.stringify(slug)} ${JSON.stringify(version)}; list what there is`,
  )
}
