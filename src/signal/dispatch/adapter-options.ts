import { FleetPromptError } from "../../errors.ts"

/** Options as they come, before an adapter has checked them. */
export type RawOptions = Readonly<Record<string, unknown>>

/** The adapter's name stands among its options and is nobody's option. */
const ADAPTER_NAME = "to"

/**
 * Refuses an option that the adapter does not have, since a misspelt one would otherwise leave its
 * default in force.
 *
 * @throws FleetPromptError `dispatch_invalid`
 */
export function refuseUnknownOptions(options: RawOptions, known: readonly string[], prefix = ""): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name) && name !== ADAPTER_NAME)
  if (unknown === undefined) return
  const choice = known.length === 0 ? "no options" : `the options ${known.join(", ")}`
  throw invalidOption(`${prefix}${unknown}`, `expected ${choice}, got ${JSON.stringify(unknown.slice(0, 60))}`)
}

/**
 * A text that is not empty.
 *
 * @throws FleetPromptError `dispatch_invalid`
 */
export function textOption(options: RawOptions, name: string): string {
  const value = options[name]
  if (typeof value === "string" && value !== "") return value
  throw invalidOption(name, `expected a text as ${name}, got ${kindOf(value)}`)
}

/**
 * One of a few texts.
 *
 * @throws FleetPromptError `dispatch_invalid`
 */
export function choiceOption<Choice extends string>(
  options: RawOptions,
  name: string,
  choices: readonly Choice[],
  fallback: Choice,
): Choice {
  const value = options[name] ?? fallback
  const choice = choices.find((each) => each === value)
  if (choice !== undefined) return choice
  throw invalidOption(name, `expected one of ${choices.join(", ")} as ${name}, got ${kindOf(value)}`)
}

/**
 * A whole number within bounds. `prefix` is the path before the name, with its dot.
 *
 * @throws FleetPromptError `dispatch_invalid`
 */
export function integerOption(
  options: RawOptions,
  name: string,
  { min, max, fallback, prefix = "" }: { min: number; max: number; fallback: number; prefix?: string },
): number {
  const value = options[name] ?? fallback
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value
  const came = typeof value === "number" ? value : kindOf(value)
  const path = `${prefix}${name}`
  throw invalidOption(path, `expected a whole number from ${min} to ${max} as ${path}, got ${came}`)
}

/**
 * True or false.
 *
 * @throws FleetPromptError `dispatch_invalid`
 */
export function booleanOption(options: RawOptions, name: string, fallback: boolean): boolean {
  const value = options[name] ?? fallback
  if (typeof value === "boolean") return value
  throw invalidOption(name, `expected true or false as ${name}, got ${kindOf(value)}`)
}

/**
 * An object of further options; empty when it is missing.
 *
 * @throws FleetPromptError `dispatch_invalid`
 */
export function objectOption(options: RawOptions, name: string): RawOptions {
  const value = options[name] ?? {}
  if (typeof value !== "object" || Array.isArray(value)) {
    throw invalidOption(name, `expected an object as ${name}, got ${kindOf(value)}`)
  }
  return { ...value }
}

/** The error of a wrong option. The message must not show the value, which may be a secret. */
export function invalidOption(path: string, message: string): FleetPromptError {
  return new FleetPromptError("dispatch_invalid", message, { path })
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing"
  if (value === null) return "null"
  if (value === "") return "an empty text"
  if (Array.isArray(value)) return "an array"
  return typeof value === "string" ? "another text" : typeof value === "object" ? "an object" : `a ${typeof value}`
}
