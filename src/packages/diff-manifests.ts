import type { JsonObject, JsonValue } from "../signal/json.ts"
import { canonicalText } from "./canonical.ts"
import { compareSchemas, type SchemaChange } from "./compare-schemas.ts"
import type { JsonSchema, PackageManifest, SignalContract } from "./manifest.ts"
import { declaredKeys, layersOf, layersOfKey } from "./schema-layers.ts"

/** What a manifest has several of. */
export type ManifestPart =
  | "agents"
  | "workflows"
  | "skills"
  | "sensors"
  | "schedules"
  | "handlers"
  | "actions"
  | "credentials"
  | "config"
  | "dependencies"
  | "directives"

/** One thing that is not as it was. */
export interface PartChange {
  readonly part: ManifestPart
  /** Its name; of `config` the key, of `dependencies` the slug, of `directives` the type. */
  readonly name: string
  readonly change: "created" | "changed" | "removed"
  /** With `changed`: the fields that differ. */
  readonly fields: readonly string[]
  /** What whoever upgrades has to do first, for people; null: nothing. */
  readonly asks: string | null
}

/** What became of a signal's contract. */
export interface SignalChange {
  readonly direction: "emitted" | "consumed"
  readonly type: string
  readonly change: "created" | "changed" | "removed"
  /** Whether others that work with it would break. */
  readonly kind: "compatible" | "breaking"
  /** Versions of the contract, before and after; null where there is none. */
  readonly versions: readonly [from: number | null, to: number | null]
  readonly details: readonly SchemaChange[]
}

/** What differs between two versions of a package. */
export interface ManifestDiff {
  readonly slug: string
  readonly from: string
  readonly to: string
  /** Of the fields for people and links: which differ. */
  readonly about: readonly string[]
  readonly parts: readonly PartChange[]
  readonly signals: readonly SignalChange[]
  /** What of an earlier configuration would not fit any more, or fit otherwise. */
  readonly config: readonly SchemaChange[]
  /** Whether anything breaks: a signal that breaks others, a configuration or a credential that has to be given. */
  readonly isBreaking: boolean
}

const ABOUT = [
  "name",
  "description",
  "category",
  "publisher",
  "license",
  "icon",
  "homepage",
  "repository",
  "keywords",
  "platform",
] as const
const NAMED = ["agents", "workflows", "skills", "sensors", "schedules", "handlers", "actions", "credentials"] as const

/**
 * What is created, changed and removed from one version of a package to another.
 *
 * @example
 * const { parts, signals, isBreaking } = diffManifests(installed, published)
 */
export function diffManifests(from: PackageManifest, to: PackageManifest): ManifestDiff {
  const parts = [
    ...NAMED.flatMap((part) => diffEntries(part, byName(from[part]), byName(to[part]))),
    ...diffEntries("config", configKeys(from.config), configKeys(to.config)),
    ...diffEntries("dependencies", entriesOf(from.dependencies), entriesOf(to.dependencies)),
    ...diffEntries("directives", byThemselves(from.directives), byThemselves(to.directives)),
  ]
  const signals = (["emitted", "consumed"] as const).flatMap((direction) => diffSignals(direction, from, to))
  const config = compareConfig(from.config, to.config)
  return {
    slug: to.slug,
    from: from.version,
    to: to.version,
    about: ABOUT.filter((field) => !isSame(from[field], to[field])),
    parts,
    signals,
    config,
    isBreaking:
      [...signals, ...config].some(({ kind }) => kind === "breaking") || parts.some(({ asks }) => asks !== null),
  }
}

type Entries = ReadonlyMap<string, JsonValue>

function diffEntries(part: ManifestPart, from: Entries, to: Entries): readonly PartChange[] {
  const names = [...new Set([...from.keys(), ...to.keys()])].toSorted()
  return names.flatMap((name) => {
    const [before, after] = [from.get(name), to.get(name)]
    if (isSame(before, after)) return []
    const change = before === undefined ? "created" : after === undefined ? "removed" : "changed"
    return [
      {
        part,
        name,
        change,
        fields: change === "changed" ? fieldsThatDiffer(before, after) : [],
        asks: asksOf(part, before, after),
      },
    ]
  })
}

/** A credential that has to be given, or that is of another kind or for another system. */
function asksOf(part: ManifestPart, before: JsonValue | undefined, after: JsonValue | undefined): string | null {
  if (part !== "credentials" || !isRecord(after) || after["optional"] === true) return null
  if (!isRecord(before) || before["optional"] === true)
    return `give it a credential for ${String(after["provider"])}: ${String(after["why"])}`
  const differs = ["provider", "kind", "scopes"].filter((field) => !isSame(before[field], after[field]))
  return differs.length > 0 ? `look at its credential again: ${differs.join(", ")} changed` : null
}

function fieldsThatDiffer(before: JsonValue | undefined, after: JsonValue | undefined): readonly string[] {
  if (!isRecord(before) || !isRecord(after)) return []
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names.filter((name) => !isSame(before[name], after[name])).toSorted()
}

function diffSignals(
  direction: SignalChange["direction"],
  from: PackageManifest,
  to: PackageManifest,
): readonly SignalChange[] {
  const [before, after] = [contracts(from, direction), contracts(to, direction)]
  const types = [...new Set([...before.keys(), ...after.keys()])].toSorted()
  return types.flatMap((type) => {
    const [was, is] = [before.get(type), after.get(type)]
    if (was && is && isSame(asJson(was), asJson(is))) return []
    const details = was && is ? compareSchemas(was.schema, is.schema, direction === "emitted" ? "out" : "in") : []
    const change = was === undefined ? "created" : is === undefined ? "removed" : "changed"
    const isBreaking = change === "removed" || details.some(({ kind }) => kind === "breaking")
    const versions = [was?.version ?? null, is?.version ?? null] as const
    return [
      {
        direction,
        type,
        change,
        kind: isBreaking ? "breaking" : "compatible",
        versions,
        details,
      } satisfies SignalChange,
    ]
  })
}

function contracts(
  manifest: PackageManifest,
  direction: SignalChange["direction"],
): ReadonlyMap<string, SignalContract> {
  return new Map((manifest.signals?.[direction] ?? []).map((contract) => [contract.type, contract]))
}

/** As for data that comes in, but that what has a default may be required. */
function compareConfig(from: JsonSchema | undefined, to: JsonSchema | undefined): readonly SchemaChange[] {
  // Without a schema only {} fits.
  const changes = compareSchemas(
    from ?? { type: "object", additionalProperties: false },
    to ?? { type: "object", additionalProperties: false },
    "in",
  )
  const root = to ?? true
  const layers = layersOf(root, root, "certain")
  return changes.filter(({ kind, pointer, message }) => {
    if (kind === "compatible" || !message.endsWith("is required now")) return true
    const key = pointer.slice(1)
    return !layersOfKey(layers, key, root, "certain").some((layer) => "default" in layer)
  })
}

function configKeys(config: JsonSchema | undefined): Entries {
  const root = config ?? true
  const layers = layersOf(root, root, "certain")
  return new Map(declaredKeys(layers).map((key) => [key, merged(layersOfKey(layers, key, root, "certain"))]))
}

function merged(layers: readonly JsonObject[]): JsonValue {
  return layers.length === 1 ? (layers[0] ?? {}) : { allOf: layers }
}

function byName(entries: readonly { readonly name: string }[] = []): Entries {
  return new Map(entries.map((entry) => [entry.name, asJson(entry)]))
}

function entriesOf(entries: Readonly<Record<string, string>> = {}): Entries {
  return new Map(Object.entries(entries))
}

function byThemselves(entries: readonly string[] = []): Entries {
  return new Map(entries.map((entry) => [entry, entry]))
}

function isSame(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return canonicalText(one) === canonicalText(other)
}

function isRecord(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** A part of a manifest is plain JSON; that keys may be left out is all that the compiler minds. */
function asJson(value: object): JsonValue {
  return value as JsonValue
}
