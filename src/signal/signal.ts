import { FleetPromptError } from "../errors.ts"
import { newId } from "./id.ts"
import { copyJson, type CopyOptions, textFault } from "./json.ts"

/**
 * An immutable fact: a CloudEvent (CloudEvents 1.0.2, section "Context Attributes"). Extension
 * attributes stand beside the others, as the JSON format of CloudEvents has them.
 */
export interface Signal<Data = unknown> {
  /** Always "1.0". */
  readonly specversion: "1.0"
  /** Unique within `source`. FleetPrompt makes UUIDv7, and stores nothing else. */
  readonly id: string
  /** Where it happened: a URI reference such as `webhook:github` or `/billing`. */
  readonly source: string
  /** What happened, past tense, dots between segments: `lead.qualified`. */
  readonly type: string
  /** When it happened, RFC 3339. */
  readonly time: string
  /** What it is about, `type:id` by custom: `repository:octokit/webhooks`. */
  readonly subject?: string
  /** Media type of `data`. Absent means JSON. */
  readonly datacontenttype?: string
  /** URI of the schema that `data` follows. */
  readonly dataschema?: string
  /** What there is to say, JSON. */
  readonly data: Data
  /** Any further attribute: lower-case letters and digits, a string, boolean or integer. */
  readonly [extension: string]: unknown
}

/** What `createSignal` reads. `id` and `time` are made when they are missing. */
export interface SignalInput<Data = unknown> {
  readonly id?: string
  readonly source: string
  readonly type: string
  readonly time?: string
  readonly subject?: string
  readonly datacontenttype?: string
  readonly dataschema?: string
  readonly data?: Data
  readonly [extension: string]: unknown
}

const TYPE = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/
const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/
const EXTENSION_NAME = /^[a-z0-9]+$/
/** Longest type, source, subject and other attribute, in UTF-16 units; an index row of Postgres must hold them. */
const MAX_ATTRIBUTE = 1_000

/**
 * Makes a signal: checks every attribute, adds `id` (UUIDv7) and `time` (now) where they are
 * missing, and freezes the result. `data` is copied, so later changes to the caller's object do not
 * reach the signal; left out, it is null.
 *
 * @throws FleetPromptError `signal_invalid`, `data_not_json`, `data_too_deep`; `path` names the attribute
 * @example
 * const signal = createSignal({ type: "lead.received", source: "/crm", data: { leadId: "123" } })
 * signal.id // "0192f0c1-…"
 */
export function createSignal<Data>(input: SignalInput<Data>, options: CopyOptions = {}): Signal<Data> {
  const { id, source, type, time, subject, datacontenttype, dataschema, data, ...rest } = input
  const { specversion: _, ...extensions } = rest
  const signal = {
    specversion: "1.0",
    id: checkAttribute("id", id ?? newId()),
    source: checkAttribute("source", source),
    type: checkType(type),
    time: checkTime(time ?? new Date().toISOString()),
    ...optional("subject", subject),
    ...optional("datacontenttype", datacontenttype),
    ...optional("dataschema", dataschema),
    ...checkExtensions(extensions),
    data: copyJson(data ?? null, "data", options),
  }
  // copyJson returned what `data` is, checked to be JSON, so the type the caller gave still holds.
  return Object.freeze(signal) as unknown as Signal<Data>
}

/**
 * Reads a signal from outside, a parsed CloudEvents JSON object. `specversion` "1.0" and "1.0.2" are
 * accepted; `id` is required.
 *
 * @throws FleetPromptError `signal_invalid`, `data_not_json`, `data_too_deep`
 * @example
 * parseSignal(JSON.parse(body))
 */
export function parseSignal(value: unknown): Signal {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("signal", "an object with CloudEvents attributes", value)
  }
  const input: Record<string, unknown> = { ...value }
  if (input["specversion"] !== "1.0" && input["specversion"] !== "1.0.2") {
    throw invalid("specversion", `"1.0"`, input["specversion"])
  }
  // createSignal checks each attribute again, whatever its type is here.
  return createSignal({ ...input, id: checkAttribute("id", input["id"]) } as unknown as SignalInput)
}

/**
 * Whether a value is a valid signal. For the reason why not, call `parseSignal`.
 *
 * @example
 * isSignal({ specversion: "1.0", id: "1", source: "/a", type: "b.c", time: "2026-01-01T00:00:00Z", data: null }) // true
 */
export function isSignal(value: unknown): value is Signal {
  try {
    parseSignal(value)
    return typeof value === "object" && value !== null && "time" in value
  } catch {
    return false
  }
}

function checkType(value: unknown): string {
  const type = checkAttribute("type", value)
  if (!TYPE.test(type)) {
    throw invalid("type", `segments of letters, digits, "_" or "-" with dots between, such as "lead.received"`, value)
  }
  return type
}

function checkTime(value: unknown): string {
  if (typeof value !== "string" || !RFC3339.test(value) || Number.isNaN(Date.parse(value))) {
    throw invalid("time", `an RFC 3339 time such as "2026-01-31T12:00:00Z"`, value)
  }
  return value
}

function checkAttribute(name: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw invalid(name, "a text that is not empty", value)
  if (value.length > MAX_ATTRIBUTE)
    throw invalid(name, `at most ${MAX_ATTRIBUTE} characters`, `${value.length} characters`)
  const fault = textFault(value)
  if (fault !== undefined) throw invalid(name, "text that Postgres can hold", fault)
  return value
}

function optional<Name extends string>(name: Name, value: unknown): Partial<Record<Name, string>> {
  if (value === undefined) return {}
  // One computed key of type Name; TypeScript widens it to an index signature.
  return { [name]: checkAttribute(name, value) } as Record<Name, string>
}

function checkExtensions(extensions: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  for (const [name, value] of Object.entries(extensions)) checkExtension(name, value)
  return extensions
}

function checkExtension(name: string, value: unknown): void {
  if (!EXTENSION_NAME.test(name)) throw invalid(name, "an extension name of lower-case letters and digits", name)
  if (typeof value === "boolean" || (typeof value === "number" && Number.isInteger(value))) return
  if (typeof value !== "string") throw invalid(name, "a string, a boolean or an integer", value)
  checkAttribute(name, value)
}

function invalid(path: string, expected: string, came: unknown): FleetPromptError {
  return new FleetPromptError("signal_invalid", `expected ${expected} as ${path}, got ${describe(came)}`, { path })
}

/** Names a value without showing long or nested content. */
function describe(value: unknown): string {
  if (typeof value === "string")
    return value.length <= 60 ? JSON.stringify(value) : `a text of ${value.length} characters`
  if (value === null) return "null"
  if (Array.isArray(value)) return "an array"
  return typeof value === "object" ? "an object" : String(value)
}
