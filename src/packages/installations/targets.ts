import { FleetPromptError } from "../../errors.ts"
import { newId } from "../../signal/id.ts"
import type { InstallationRecord } from "../../store/installations.ts"
import { deletePackageRecords, upsertPackageRecords } from "../../store/package-records.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { applyConfig } from "../config.ts"
import type { PackageManifest } from "../manifest.ts"
import { assess, type Assessment, type WantedPackage } from "./assess.ts"
import type { Target } from "./carry-out.ts"
import { desiredBindings, desiredRecords } from "./desired.ts"
import type { InstallationPlan, PlanProblem } from "./installation-plan.ts"
import { type InstallerDeps, readState } from "./installations-deps.ts"
import { templateProblems } from "./template-problems.ts"

/** What the first step of a directive finds out: which packages become what. It is kept as the step's result. */
export type FoundTarget = {
  readonly package: string
  readonly version: string
  readonly installationId: string
  readonly change: "install" | "upgrade"
  readonly installedFor: string | null
}

/**
 * Looks at everything once more when the directive begins, since the plan was made before.
 *
 * @param installationId that the wanted package gets, or has.
 * @throws FleetPromptError `installation_refused`
 */
export async function findTargets(
  scope: TenantScope,
  action: "install" | "upgrade",
  wanted: WantedPackage,
  installationId: string,
  deps: InstallerDeps,
): Promise<readonly FoundTarget[]> {
  const state = await readState(scope, Object.values(wanted.credentials ?? {}), deps)
  const assessment = await assess(wanted, state, deps.shelf)
  const problems = problemsOf(action, wanted.slug, assessment, deps)
  if (problems.length > 0) throw refused(action, wanted.slug, problems)
  return assessment.packages.map(({ step, installation }) => {
    const isWanted = step.slug === wanted.slug
    return {
      package: step.slug,
      version: step.version,
      installationId: isWanted ? installationId : (installation?.id ?? newId()),
      change: installation ? "upgrade" : "install",
      installedFor: isWanted ? null : installationId,
    }
  })
}

/** Everything for which it cannot be done. */
export function problemsOf(
  action: InstallationPlan["action"],
  slug: string,
  assessment: Assessment,
  { templates }: Pick<InstallerDeps, "templates">,
): readonly PlanProblem[] {
  const main = assessment.packages.find(({ step }) => step.slug === slug)
  return [
    ...assessment.problems,
    ...assessment.packages.flatMap(({ manifest, config }) => templateProblems(manifest, config, templates)),
    ...(action === "install" && main?.installation ? [isThere(main.installation)] : []),
    ...(action === "upgrade" && main && isSame(main)
      ? [stateProblem(`expected another version or configuration of ${slug}, it is so already; nothing is to be done`)]
      : []),
  ]
}

function isSame({ step, checksum, credentials, installation }: Assessment["packages"][number]): boolean {
  if (!installation || step.version !== installation.version) return false
  const names = new Set([...Object.keys(credentials), ...Object.keys(installation.credentials)])
  return (
    checksum === installation.configChecksum &&
    [...names].every((name) => credentials[name] === installation.credentials[name])
  )
}

function isThere({ package: slug, version, status }: InstallationRecord): PlanProblem {
  return stateProblem(
    `expected a package that is not installed, ${slug} ${version} is ${status}; upgrade it, or uninstall it first`,
  )
}

function stateProblem(message: string): PlanProblem {
  return { kind: "state", message, pointer: null }
}

/** Tells every reason. */
export function refused(action: string, slug: string, problems: readonly PlanProblem[]): FleetPromptError {
  const reasons = problems.map(({ message, pointer }) => (pointer === null ? message : `config${pointer}: ${message}`))
  return new FleetPromptError(
    "installation_refused",
    `expected ${action} of ${slug} to be possible, it is not:\n${reasons.join("\n")}`,
  )
}

/** What packages become, from their manifests. */
export async function targetsOf(
  found: readonly FoundTarget[],
  wanted: WantedPackage,
  scope: TenantScope,
  deps: InstallerDeps,
): Promise<readonly Target[]> {
  const { installations } = await readState(scope, [], deps)
  return Promise.all(
    found.map(async (each) => {
      const manifest = await deps.shelf.manifest(each.package, each.version)
      if (!manifest)
        throw refused(each.change, each.package, [
          { kind: "versions", message: `the catalogue has no version ${each.version} of it`, pointer: null },
        ])
      const there = each.change === "install" ? undefined : installations.find(({ id }) => id === each.installationId)
      return targetOf(each, manifest, each.package === wanted.slug ? wanted : {}, there, scope)
    }),
  )
}

function targetOf(
  { installationId, installedFor, change, ...found }: FoundTarget,
  manifest: PackageManifest,
  given: Pick<WantedPackage, "config" | "credentials">,
  there: InstallationRecord | undefined,
  scope: TenantScope,
): Target {
  const applied = applyConfig(manifest, given.config ?? there?.config ?? {})
  if (applied.kind === "refused")
    throw refused(
      change,
      found.package,
      applied.problems.map(({ message, pointer }) => ({ kind: "config", message, pointer })),
    )
  const { config, checksum } = applied
  const credentials = { ...there?.credentials, ...given.credentials }
  const records = desiredRecords(manifest, config)
  return {
    ...found,
    installationId,
    installedFor,
    change,
    config,
    configChecksum: checksum,
    credentials,
    dependencies: manifest.dependencies ?? {},
    // Nothing of a new package runs before all is there.
    bindings: desiredBindings(manifest, { installationId, config, credentials }, false),
    writeRecords: async (tx) => {
      await deletePackageRecords(tx, scope, installationId, records)
      await upsertPackageRecords(tx, scope, { installationId, package: found.package }, records)
    },
  }
}
