import { freezeJson, type JsonObject, type JsonValue } from "../signal/json.ts"
import { checksumOf } from "./canonical.ts"
import { compileSchema } from "./json-schema.ts"
import type { JsonSchema, ManifestProblem, PackageManifest } from "./manifest.ts"
import { checkPlain } from "./plain-data.ts"
import { declaredKeys, isObject, layersOf, layersOfItem, layersOfKey } from "./schema-layers.ts"

/** What a configuration came to. */
export type AppliedConfig =
  | {
      readonly kind: "fits"
      /** With defaults filled in, frozen. */
      readonly config: JsonObject
      /** See `configChecksum`. */
      readonly checksum: string
    }
  | { readonly kind: "refused"; readonly problems: readonly ManifestProblem[] }

/** Longest JSON of a configuration, UTF-8 bytes. */
const MAX_BYTES = 32_768
/** Values in a configuration, objects and arrays counted too. */
const MAX_VALUES = 1_000
const NO_CONFIG: JsonSchema = { type: "object", additionalProperties: false }

/**
 * A configuration with the defaults of the package's schema, or everything for which it does not fit. Defaults fill
 * keys of `properties`, at any depth of what is there, also those that come by `$ref` and `allOf`; not those that only
 * `anyOf`, `oneOf` or `then` name. A package without `config` takes `{}` alone.
 *
 * @example
 * const applied = applyConfig(manifest, { repo: "octokit/webhooks" })
 * if (applied.kind === "fits") console.log(applied.config, applied.checksum)
 */
export function applyConfig(manifest: Pick<PackageManifest, "config">, config: unknown): AppliedConfig {
  const refused = (problems: readonly ManifestProblem[]): AppliedConfig => ({ kind: "refused", problems })
  const plain = checkPlain(config, "")
  if (plain.length > 0) return refused(plain)
  const large = checkSize(config)
  if (large.length > 0) return refused(large)
  const schema = manifest.config ?? NO_CONFIG
  // It is plain JSON.
  const filled = withDefaults(config as JsonValue, layersOf(schema, schema, "certain"), schema)
  const problems = [...checkSize(filled), ...compileSchema(schema)(filled, "")]
  if (problems.length > 0) return refused(problems)
  if (!isObject(filled)) return refused([{ pointer: "", message: "expected an object in { } as the configuration" }])
  return { kind: "fits", config: freezeJson(filled), checksum: configChecksum(manifest, filled) }
}

/**
 * `sha256:` and the hex digits of the configuration's canonical JSON, without what its schema marks as a secret
 * (`"x-secret": true` or `"writeOnly": true`) or as changing by itself (`"x-volatile": true`, for timestamps and the
 * like). So the order of keys makes no difference, and neither does a secret or the time.
 *
 * @param config as `applyConfig` gave it.
 */
export function configChecksum(
  { config: schema = NO_CONFIG }: Pick<PackageManifest, "config">,
  config: JsonObject,
): string {
  return checksumOf(withoutMarked(config, layersOf(schema, schema, "possible"), schema) ?? {})
}

const MARKS = ["x-secret", "writeOnly", "x-volatile"]

function withoutMarked(value: JsonValue, layers: readonly JsonObject[], root: JsonSchema): JsonValue | undefined {
  if (layers.some((layer) => MARKS.some((mark) => layer[mark] === true))) return undefined
  if (Array.isArray(value)) {
    // An array of JSON.
    const items = value as readonly JsonValue[]
    return items.map((item, at) => withoutMarked(item, layersOfItem(layers, at, root, "possible"), root) ?? null)
  }
  if (!isObject(value)) return value
  const kept = Object.entries(value).flatMap(([key, item]) => {
    const left = withoutMarked(item, layersOfKey(layers, key, root, "possible"), root)
    return left === undefined ? [] : [[key, left] as const]
  })
  return Object.fromEntries(kept)
}

function withDefaults(value: JsonValue, layers: readonly JsonObject[], root: JsonSchema): JsonValue {
  if (Array.isArray(value)) {
    // An array of JSON.
    const items = value as readonly JsonValue[]
    return items.map((item, at) => withDefaults(item, layersOfItem(layers, at, root, "certain"), root))
  }
  if (!isObject(value)) return value
  const keys = new Set([...Object.keys(value), ...declaredKeys(layers)])
  const entries = [...keys].flatMap((key) => {
    const below = layersOfKey(layers, key, root, "certain")
    const given = Object.hasOwn(value, key) ? value[key] : below.find((layer) => "default" in layer)?.["default"]
    return given === undefined ? [] : [[key, withDefaults(given, below, root)] as const]
  })
  return Object.fromEntries(entries)
}

/** The defaults that a schema gives, each with its own schema and place, so that they can be checked against it. */
export function defaultsOf(
  schema: JsonSchema,
): readonly { readonly keys: readonly string[]; readonly value: JsonValue; readonly schema: JsonObject }[] {
  const collect = (layer: JsonObject, keys: readonly string[]): ReturnType<typeof defaultsOf> => {
    const properties = isObject(layer["properties"]) ? layer["properties"] : {}
    const own = layer["default"] === undefined ? [] : [{ keys, value: layer["default"], schema: layer }]
    const below = Object.entries(properties).flatMap(([key, each]) =>
      isObject(each) ? collect(each, [...keys, "properties", key]) : [],
    )
    return [...own, ...below]
  }
  return typeof schema === "object" ? collect(schema, []) : []
}

function checkSize(config: unknown): readonly ManifestProblem[] {
  const count = countValues(config)
  if (count > MAX_VALUES)
    return [{ pointer: "", message: `expected at most ${MAX_VALUES} values in a configuration, got more` }]
  const bytes = Buffer.byteLength(JSON.stringify(config) ?? "")
  return bytes <= MAX_BYTES
    ? []
    : [{ pointer: "", message: `expected at most ${MAX_BYTES} bytes of JSON as the configuration, got ${bytes}` }]
}

function countValues(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1
  let count = 1
  for (const item of Object.values(value)) {
    count += countValues(item)
    if (count > MAX_VALUES) return count
  }
  return count
}
