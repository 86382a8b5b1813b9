import type { z } from "zod"
import { type ErrorCode, FleetPromptError } from "../errors.ts"

/** What is checked, and how it is refused. */
export interface InputTerms {
  /** What it is, for the message: `body`, `query`. */
  readonly of: "body" | "query" | "path"
  readonly code: ErrorCode
  /** Codes of single fields. */
  readonly codes?: Readonly<Record<string, ErrorCode>>
}

/** Longest path of a message: its names may come from the caller. */
const MAX_PATH = 100

/**
 * What a schema makes of a value from outside. The message says what was expected and what kind of thing came, never the
 * value itself, which may be a secret.
 *
 * @throws FleetPromptError with the code of the terms
 */
export function checkInput<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  terms: InputTerms,
): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw issue ? refusal(issue, terms) : new FleetPromptError(terms.code, `expected another ${terms.of}`)
}

type Issue = z.core.$ZodIssue

function refusal(issue: Issue, { of, code: usual, codes = {} }: InputTerms): FleetPromptError {
  const code = codes[String(issue.path[0])] ?? usual
  const path = pathOf(issue.path).slice(0, MAX_PATH)
  const place = path === "" ? of : path
  const message = `expected ${wantedBy(issue)} as ${place}, got ${cameAs(issue.input)}; see the reference of the API`
  return new FleetPromptError(code, message, path === "" ? {} : { path })
}

/** `items[0].type` */
function pathOf(parts: readonly PropertyKey[]): string {
  return parts
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "")
}

function wantedBy(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return KINDS[issue.expected] ?? issue.expected
    case "invalid_value":
      return issue.values.map(String).join(" or ")
    case "too_small":
      return `at least ${String(issue.minimum)}${unitOf(issue.origin)}`
    case "too_big":
      return `at most ${String(issue.maximum)}${unitOf(issue.origin)}`
    case "unrecognized_keys":
      return "no other fields than those of the reference"
    case "invalid_format":
    case "custom":
      return issue.message
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`
    case "invalid_union":
    case "invalid_key":
    case "invalid_element":
      return "one of the forms of the reference"
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "an array",
}

function unitOf(origin: string): string {
  if (origin === "string") return " characters"
  return origin === "array" ? " items" : ""
}

/** What kind of thing it is, and nothing of what it says. */
function cameAs(value: unknown): string {
  if (value === undefined) return "nothing"
  if (value === null) return "null"
  if (Array.isArray(value)) return "an array"
  if (typeof value === "string") return `a text of ${value.length} characters`
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}
