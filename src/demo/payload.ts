import type { JsonValue } from "../signal/json.ts"

/** The value at a path of keys; undefined when the payload has none there. */
export function valueAt(value: JsonValue, ...path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>(ownProperty, value)
}

/** The text at a path; null when there is none. */
export function textAt(value: JsonValue, ...path: readonly string[]): string | null {
  const found = valueAt(value, ...path)
  return typeof found === "string" ? found : null
}

/** The number at a path; null when there is none. */
export function numberAt(value: JsonValue, ...path: readonly string[]): number | null {
  const found = valueAt(value, ...path)
  return typeof found === "number" ? found : null
}

/** The array at a path; empty when there is none. */
export function listAt(value: JsonValue, ...path: readonly string[]): readonly JsonValue[] {
  const found = valueAt(value, ...path)
  return isList(found) ? found : []
}

/** `owner/name` of the repository an event belongs to, or null. */
export function repositoryOf(payload: JsonValue): string | null {
  return textAt(payload, "repository", "full_name")
}

/** The beginning of a text, at most `max` UTF-16 units, never ending in half a character. */
export function excerpt(text: string, max: number): string {
  return text.length <= max ? text : text.slice(0, max).replace(/[\uD800-\uDBFF]$/, "")
}

/** The words of a text in lower case. */
export function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
}

function ownProperty(value: JsonValue | undefined, key: string): JsonValue | undefined {
  if (typeof value !== "object" || value === null || isList(value)) return undefined
  return Object.hasOwn(value, key) ? value[key] : undefined
}

/** Array.isArray does not narrow readonly arrays. */
function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value)
}
