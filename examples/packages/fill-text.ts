import type { JsonValue } from "fleetprompt"

/** Longest value within a text, UTF-16 units. */
const MAX_VALUE = 500

/**
 * A text with what a signal's data holds in place of `{data.x}`; nothing in place of what it does not hold. What is
 * filled in is not read again.
 *
 * @example
 * fillText("Lead {data.lead_id}", { lead_id: "7" }) // "Lead 7"
 */
export function fillText(text: string, data: JsonValue): string {
  return text.replaceAll(/\{data((?:\.\w+)+)\}/g, (_, path: string) => shown(valueAt(data, path.slice(1).split("."))))
}

function valueAt(data: JsonValue, path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((value, key) => {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined
    // hasOwn makes this read safe, of lists too.
    return (value as Readonly<Record<string, JsonValue>>)[key]
  }, data)
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return ""
  if (Array.isArray(value)) return value.map(shown).join(", ").slice(0, MAX_VALUE)
  return (typeof value === "object" ? JSON.stringify(value) : String(value)).slice(0, MAX_VALUE)
}
