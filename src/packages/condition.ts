import type { JsonObject, JsonValue } from "../signal/json.ts"
import { canonicalText } from "./canonical.ts"
import { fillPlaceholders, isPlaceholder, valueAt } from "./placeholders.ts"
import type { Condition, ManifestProblem } from "./manifest.ts"
import { pointerTo } from "./pointer.ts"

/** Conditions in one another, at most. */
const MAX_NESTING = 8

/** What a condition looks at. */
export interface ConditionSubject {
  readonly type: string
  readonly source: string
  readonly subject?: string | undefined
  readonly time: string
  readonly data?: unknown
}

type Comparison = Extract<Condition, { readonly path: string }>

/**
 * Whether a condition holds for a signal. What is not there is equal to nothing, and neither more nor less than
 * anything; values of different types are not equal, and only numbers and texts are more or less than others of their type.
 *
 * @example
 * conditionHolds({ path: "data.score", op: "gte", value: 90 }, signal)
 */
export function conditionHolds(condition: Condition, signal: ConditionSubject): boolean {
  if ("all" in condition) return condition.all.every((each) => conditionHolds(each, signal))
  if ("any" in condition) return condition.any.some((each) => conditionHolds(each, signal))
  if ("not" in condition) return !conditionHolds(condition.not, signal)
  return compares(condition, readPath(signal, condition.path))
}

/** A condition with its placeholders filled from a configuration. */
export function fillCondition(condition: Condition, config: JsonObject): Condition {
  if ("all" in condition) return { all: condition.all.map((each) => fillCondition(each, config)) }
  if ("any" in condition) return { any: condition.any.map((each) => fillCondition(each, config)) }
  if ("not" in condition) return { not: fillCondition(condition.not, config) }
  return condition.value === undefined ? condition : { ...condition, value: fillPlaceholders(condition.value, config) }
}

function readPath({ type, source, subject, time, data }: ConditionSubject, path: string): JsonValue | undefined {
  // Data of a stored signal is JSON.
  const json = data as JsonValue | undefined
  if (path === "data") return json
  if (path.startsWith("data.")) return valueAt(json, path.slice("data.".length))
  return { type, source, subject, time }[path]
}

function compares({ path, op, value }: Comparison, found: JsonValue | undefined): boolean {
  switch (op) {
    case "exists":
      return found !== undefined
    case "eq":
      return isSame(found, value)
    case "ne":
      return !isSame(found, value)
    case "in":
      return Array.isArray(value) && value.some((each: JsonValue) => isSame(found, each))
    case "prefix":
      return typeof found === "string" && typeof value === "string" && found.startsWith(value)
    case "gt":
      return order(path, found, value) > 0
    case "gte":
      return order(path, found, value) >= 0
    case "lt":
      return order(path, found, value) < 0
    case "lte":
      return order(path, found, value) <= 0
  }
}

function isSame(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  return one !== undefined && other !== undefined && (one === other || canonicalText(one) === canonicalText(other))
}

/** Below, at or above 0; NaN, which is none of them, where there is no order. */
function order(path: string, one: JsonValue | undefined, other: JsonValue | undefined): number {
  if (typeof one === "number" && typeof other === "number") return one - other
  if (typeof one !== "string" || typeof other !== "string") return Number.NaN
  // Times may be written with any offset.
  if (path === "time") return Date.parse(one) - Date.parse(other)
  if (one === other) return 0
  return one < other ? -1 : 1
}

/** What a shape cannot say of a condition. */
export function checkCondition(condition: Condition, pointer: string, nesting = 1): readonly ManifestProblem[] {
  if (nesting > MAX_NESTING)
    return [{ pointer, message: `expected at most ${MAX_NESTING} conditions in one another, got more` }]
  const within = (key: "all" | "any", each: readonly Condition[]): readonly ManifestProblem[] =>
    each.flatMap((one, at) => checkCondition(one, pointerTo(pointerTo(pointer, key), at), nesting + 1))
  if ("all" in condition) return within("all", condition.all)
  if ("any" in condition) return within("any", condition.any)
  if ("not" in condition) return checkCondition(condition.not, pointerTo(pointer, "not"), nesting + 1)
  const wanted = wantedValue(condition)
  return wanted === undefined ? [] : [{ pointer: pointerTo(pointer, "value"), message: wanted }]
}

function wantedValue({ op, value }: Comparison): string | undefined {
  if (isPlaceholder(value)) return undefined
  const wanted = (what: string): string =>
    `expected ${what} as the value of "${op}", or a placeholder such as "\${config.x}"`
  if (op === "in" && !Array.isArray(value)) return wanted("a list")
  if (op === "prefix" && typeof value !== "string") return wanted("a text")
  const isOrdered = typeof value === "number" || typeof value === "string"
  if (["gt", "gte", "lt", "lte"].includes(op) && !isOrdered) return wanted("a number or a text")
  return undefined
}
