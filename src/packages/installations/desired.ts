import type { JsonObject, JsonValue } from "../../signal/json.ts"
import type { NewBinding } from "../../store/bindings.ts"
import type { InstalledRecord, InstalledRecordKind } from "../../store/package-records.ts"
import { SENSOR_DUE } from "../../store/package-schedules.ts"
import { checksumOf } from "../canonical.ts"
import type { HandlerBinding, ManifestRecord, ManifestSchedule, PackageManifest } from "../manifest.ts"
import { fillPlaceholders } from "../placeholders.ts"

/** What an installation is given. */
export interface InstallationTerms {
  readonly installationId: string
  readonly config: JsonObject
  readonly credentials: Readonly<Record<string, string>>
}

/** A record that is to be there. */
export type DesiredRecord = Omit<InstalledRecord, "state">

/** The records that a manifest makes with a configuration. */
export function desiredRecords(manifest: PackageManifest, config: JsonObject): readonly DesiredRecord[] {
  const { agents, workflows, skills, sensors, schedules } = manifest
  const made = (kind: InstalledRecordKind, records: readonly ManifestRecord[] = []): readonly DesiredRecord[] =>
    records.map(({ name, with: given, ...about }) =>
      record(kind, name, manifest, { ...about, ...(given && { with: fillPlaceholders(given, config) }) }),
    )
  return [
    ...made("agent", agents),
    ...made("workflow", workflows),
    ...made("skill", skills),
    ...made("sensor", sensors),
    ...(schedules ?? []).map(({ name, ...schedule }) => record("schedule", name, manifest, filled(schedule, config))),
  ]
}

function filled({ emit, ...schedule }: Omit<ManifestSchedule, "name">, config: JsonObject): JsonObject {
  const { type, data } = emit
  return { ...schedule, emit: { type, ...(data && { data: fillPlaceholders(data, config) }) } }
}

function record(kind: InstalledRecordKind, name: string, { version }: PackageManifest, data: JsonValue): DesiredRecord {
  return { kind, name, version, data, checksum: checksumOf(data) }
}

/** The bindings that a manifest makes. @param isEnabled whether they are to run from now on */
export function desiredBindings(
  manifest: PackageManifest,
  { installationId, config, credentials }: InstallationTerms,
  isEnabled: boolean,
): readonly NewBinding[] {
  const { slug, version } = manifest
  return boundBy(manifest).map((binding) => ({
    handler: `${slug}.${binding.name}`,
    installationId,
    package: slug,
    version,
    template: binding.uses,
    pattern: binding.on,
    // A condition and parameters are objects, and stay so when they are filled in.
    condition: binding.where === undefined ? null : (fillPlaceholders(binding.where, config) as JsonObject),
    params: fillPlaceholders(binding.with ?? {}, config) as JsonObject,
    config,
    credentials: some(credentials, binding.credentials ?? []),
    isEnabled,
  }))
}

/** What a manifest binds to signals: its handlers, and its sensors, each bound to the signal of its own slots. */
export function boundBy({ slug, handlers = [], sensors = [] }: PackageManifest): readonly HandlerBinding[] {
  const looking = sensors.flatMap(({ name, uses, with: given, credentials }): readonly HandlerBinding[] => {
    if (uses === undefined) return []
    const where = { path: "data.sensor", op: "eq", value: `${slug}.${name}` } as const
    return [{ name, uses, on: SENSOR_DUE, where, ...(given && { with: given }), ...(credentials && { credentials }) }]
  })
  return [...handlers, ...looking]
}

/** The credentials of these names, as far as they were given. */
export function some(
  credentials: Readonly<Record<string, string>>,
  names: readonly string[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(credentials).filter(([name]) => names.includes(name)))
}
