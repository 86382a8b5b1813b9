import { textFault } from "../signal/json.ts"
import type { ManifestProblem } from "./manifest.ts"
import { pointerTo } from "./pointer.ts"

/** How deep a manifest or a configuration may be nested. */
export const MAX_DEPTH = 40
/** Problems of one kind that are told, at most. */
const MAX_PROBLEMS = 100

/** Keys with which an object could reach beyond itself, or that ask for something to be run. */
const REFUSED_KEYS = new Set(["__proto__", "constructor", "prototype", "eval"])
/** How an address begins that a browser runs. */
const RUNNABLE = /^(?:(?:javascript|vbscript|livescript):|data:(?:text\/html|image\/svg|application\/x))/i
/** Browsers read past these. */
const UNSEEN = /[\s\p{Cc}\p{Cf}]/gu

/** Everything for which a value is not plain JSON that may be stored and shown. */
export function checkPlain(value: unknown, pointer: string): readonly ManifestProblem[] {
  const problems: ManifestProblem[] = []
  walk(value, pointer, [], problems)
  return problems.slice(0, MAX_PROBLEMS)
}

function walk(value: unknown, pointer: string, open: readonly object[], problems: ManifestProblem[]): void {
  const refuse = (message: string): void => void problems.push({ pointer, message })
  switch (typeof value) {
    case "string":
      return checkText(value, refuse)
    case "number":
      if (!Number.isFinite(value) || Object.is(value, -0)) refuse(`expected a number of JSON, got ${String(value)}`)
      return
    case "boolean":
      return
    case "function":
      return refuse(
        "expected data, got a function: packages hold no code; name a template of the platform in uses instead",
      )
    case "object":
      if (value !== null) walkObject(value, pointer, open, problems)
      return
    case "undefined":
      return refuse("expected a value of JSON, got undefined; leave the key out")
    case "bigint":
    case "symbol":
      return refuse(`expected a value of JSON, got a ${typeof value}; use a text`)
  }
}

function walkObject(value: object, pointer: string, open: readonly object[], problems: ManifestProblem[]): void {
  const refuse = (message: string): void => void problems.push({ pointer, message })
  if (open.includes(value)) return refuse("expected data that ends, got a circle; name it instead")
  if (open.length >= MAX_DEPTH) return refuse(`expected at most ${MAX_DEPTH} levels in one another, got more`)
  if (!Array.isArray(value) && !isPlainObject(value))
    return refuse("expected a plain object, got an instance of a class; write its data out")
  const below = [...open, value]
  if (Array.isArray(value)) {
    // Not forEach, which leaves holes out.
    for (let at = 0; at < value.length; at++) walk(value[at], pointerTo(pointer, at), below, problems)
    return
  }
  for (const key of Reflect.ownKeys(value)) {
    if (typeof key === "symbol") refuse("expected keys that are texts, got a symbol")
    else walkEntry(value, key, pointer, below, problems)
  }
}

function walkEntry(
  value: object,
  key: string,
  pointer: string,
  below: readonly object[],
  problems: ManifestProblem[],
): void {
  const at = pointerTo(pointer, key)
  const property = Object.getOwnPropertyDescriptor(value, key)
  if (REFUSED_KEYS.has(key)) problems.push({ pointer: at, message: `expected no key "${key}"; give it another name` })
  else if (property?.get || property?.set)
    problems.push({ pointer: at, message: "expected data, got a getter or setter: packages hold no code" })
  else {
    checkText(key, (message) => problems.push({ pointer: at, message }))
    walk(property?.value, at, below, problems)
  }
}

function checkText(text: string, refuse: (message: string) => void): void {
  const fault = textFault(text)
  if (fault !== undefined) refuse(`expected text that can be stored, got ${fault}; remove it`)
  if (runs(text)) refuse("expected no address that runs code, got one; use https, or begin the text with another word")
}

/** Only the beginning says what a browser does with an address. */
function runs(text: string): boolean {
  return RUNNABLE.test(text.slice(0, 200).replaceAll(UNSEEN, ""))
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  // Objects of another realm (a vm, a test runner) have that realm's Object.prototype, which has no prototype itself.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
