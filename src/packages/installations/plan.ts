import { FleetPromptError } from "../../errors.ts"
import { compilePattern } from "../../signal/pattern.ts"
import type { BindingRecord } from "../../store/bindings.ts"
import { selectBindingsOf } from "../../store/bindings.ts"
import type { InstallationRecord } from "../../store/installations.ts"
import { selectPackageRecords } from "../../store/package-records.ts"
import { SENSOR_DUE } from "../../store/package-schedules.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import { diffManifests, type ManifestPart, type SignalChange } from "../diff-manifests.ts"
import type { PackageManifest } from "../manifest.ts"
import { type AssessedPackage, assess, type WantedPackage } from "./assess.ts"
import type { BrokenConsumer, InstallationPlan, PlannedChange } from "./installation-plan.ts"
import { type InstallerDeps, readState, unknownInstallation } from "./installations-deps.ts"
import { dependentsOf, neededBy } from "./needs.ts"
import { problemsOf } from "./targets.ts"

/** What an install or upgrade would do, and what it is asked for with. */
export interface MadePlan {
  readonly plan: InstallationPlan
  /** The package itself; undefined when it cannot be had. */
  readonly main: AssessedPackage | undefined
}

/** What an install or an upgrade would do. */
export async function planMaking(
  action: "install" | "upgrade",
  wanted: WantedPackage,
  scope: TenantScope,
  deps: InstallerDeps,
): Promise<MadePlan> {
  const state = await readState(scope, Object.values(wanted.credentials ?? {}), deps)
  const there = state.installations.find((each) => each.package === wanted.slug)
  if (action === "upgrade" && !there) throw unknownInstallation(wanted.slug)
  const assessment = await assess(wanted, state, deps.shelf)
  const main = assessment.packages.find(({ step }) => step.slug === wanted.slug)
  const diffs = await Promise.all(assessment.packages.map((each) => diffOf(each, deps)))
  const signals = diffs.flatMap((diff) => diff.signals)
  return {
    main,
    plan: {
      action,
      package: wanted.slug,
      from: there?.version ?? null,
      version: main?.step.version ?? null,
      isDeprecated: main?.step.isDeprecated ?? false,
      configChecksum: main?.checksum ?? null,
      dependencies: assessment.steps
        .filter(({ slug }) => slug !== wanted.slug)
        .map(({ slug, version, from, action: what }) => ({ package: slug, version, from, action: what })),
      changes: diffs.flatMap((diff) => diff.changes),
      missingCredentials: assessment.missingCredentials,
      brokenConsumers: await brokenConsumers(signals, state.installations, scope, deps),
      problems: problemsOf(action, wanted.slug, assessment, deps),
    },
  }
}

interface Difference {
  readonly changes: readonly PlannedChange[]
  readonly signals: readonly SignalOf[]
}

/** A change of a signal, and of which package. */
interface SignalOf extends SignalChange {
  readonly of: string
}

async function diffOf(
  { step, manifest, installation }: AssessedPackage,
  { shelf }: InstallerDeps,
): Promise<Difference> {
  const version = installation?.version
  const from = version == null ? undefined : await shelf.manifest(step.slug, version)
  const { parts, signals } = diffManifests(from ?? withoutParts(manifest), manifest)
  return {
    changes: parts.map(({ part, name, change }) => ({ package: step.slug, part, name, change })),
    signals: signals.map((signal) => ({ ...signal, of: step.slug })),
  }
}

/** So that all that a package has is new. */
function withoutParts({
  slug,
  name,
  version,
  description,
  category,
  publisher,
  license,
}: PackageManifest): PackageManifest {
  return { slug, name, version, description, category, publisher, license }
}

/** Who runs on signals of which the new contract says less, or something else, than the old one. */
async function brokenConsumers(
  signals: readonly SignalOf[],
  installations: readonly InstallationRecord[],
  scope: TenantScope,
  { database, handlers }: InstallerDeps,
): Promise<readonly BrokenConsumer[]> {
  const broken = signals.filter(
    ({ direction, kind, change }) => direction === "emitted" && kind === "breaking" && change !== "created",
  )
  if (broken.length === 0) return []
  const bindings = await withinTenant(database, scope, async (tx) => {
    const all: BindingRecord[] = []
    for (const { id } of installations) all.push(...(await selectBindingsOf(tx, scope.slug, id)))
    return all
  })
  const patterns = bindings.map((each) => ({ ...each, on: compilePattern(each.pattern) }))
  return broken.flatMap(({ of, type, change, details }) => {
    const reasons =
      change === "removed"
        ? ["it is not emitted any more"]
        : details
            .filter(({ kind }) => kind === "breaking")
            .map(({ pointer, message }) => `${pointer || "/"}: ${message}`)
    return [
      ...patterns
        .filter((each) => each.package !== of && each.on.matches(type))
        .map(({ handler, package: slug }) => ({ signal: type, handler, package: slug, reasons })),
      ...handlers
        .filter(({ on }) => on.matches(type))
        .map(({ name }) => ({ signal: type, handler: name, package: null, reasons })),
    ]
  })
}

const PART_OF = {
  agent: "agents",
  workflow: "workflows",
  skill: "skills",
  sensor: "sensors",
  schedule: "schedules",
} as const satisfies Record<string, ManifestPart>

/** What an uninstall would remove: what the installation made, and its handlers. */
export async function planUninstall(
  installation: InstallationRecord,
  scope: TenantScope,
  deps: InstallerDeps,
): Promise<InstallationPlan> {
  const { id, package: slug, version, status } = installation
  const { records, bindings } = await withinTenant(deps.database, scope, async (tx) => ({
    records: await selectPackageRecords(tx, scope, id),
    bindings: await selectBindingsOf(tx, scope.slug, id),
  }))
  const { installations } = await readState(scope, [], deps)
  const needing = dependentsOf(slug, installations)
  const removed = (part: ManifestPart, name: string): PlannedChange => ({
    package: slug,
    part,
    name,
    change: "removed",
  })
  const isReady = status === "active" || status === "paused"
  return {
    action: "uninstall",
    package: slug,
    from: version,
    version: null,
    isDeprecated: false,
    configChecksum: null,
    dependencies: [],
    changes: [
      ...records.map(({ kind, name }) => removed(PART_OF[kind], name)),
      ...bindings
        .filter(({ pattern }) => pattern !== SENSOR_DUE)
        .map(({ handler }) => removed("handlers", handler.slice(slug.length + 1))),
    ],
    missingCredentials: [],
    brokenConsumers: [],
    problems: [
      ...(needing.length > 0 ? [{ kind: "dependents", message: neededBy(slug, needing), pointer: null } as const] : []),
      ...(isReady
        ? []
        : [
            {
              kind: "state",
              message: `expected a package that is active or paused, ${slug} is ${status}; wait for its end`,
              pointer: null,
            } as const,
          ]),
    ],
  }
}

/** @throws FleetPromptError `query_invalid` */
export function checkWanted(wanted: Pick<WantedPackage, "slug" | "version">): void {
  // As a caller without types may give it.
  const { slug, version } = wanted as { readonly slug?: unknown; readonly version?: unknown }
  if (typeof slug === "string" && slug !== "" && typeof version === "string") return
  throw new FleetPromptError(
    "query_invalid",
    'expected { slug, version } of a package, got something else; version may be left out for "latest"',
  )
}
