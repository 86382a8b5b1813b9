import { FleetPromptError } from "../errors.ts"
import { bytesToBase64 } from "./base64.ts"
import { newId } from "./id.ts"
import { adoptJson, copyJson, type CopyOptions, type JsonValue, textFault } from "./json.ts"
import { isTime, timeNow } from "./time.ts"

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
  /** What there is to say, JSON. Absent beside `data_base64`. */
  readonly data: Data
  /** What there is to say when it is no JSON: its bytes as base64 (CloudEvents JSON format, section 3.1.1). */
  readonly data_base64?: string
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
  /** JSON. */
  readonly data?: Data
  /** Bytes, or their base64, in place of `data`. */
  readonly data_base64?: string | Uint8Array
  readonly [extension: string]: unknown
}

const TYPE = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/
const EXTENSION_NAME = /^[a-z0-9]+$/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
/** Longest type, source, subject and other attribute, in UTF-16 units; an index row of Postgres must hold them. */
const MAX_ATTRIBUTE = 1_000
/** Members of an event that are no extension. */
const OWN = new Set([
  "specversion",
  "id",
  "source",
  "type",
  "time",
  "subject",
  "datacontenttype",
  "dataschema",
  "data",
  "data_base64",
])

type Members = Readonly<Record<string, unknown>>

/**
 * Makes a signal: checks every attribute, adds `id` (UUIDv7) and `time` (now) where they are
 * missing, and freezes the result. `data` is copied, so later changes to the caller's object do not
 * reach the signal; left out, it is null. Bytes go into `data_base64` instead, as they are or as base64.
 *
 * @throws FleetPromptError `signal_invalid`, `data_not_json`, `data_too_deep`; `path` names the attribute
 * @example
 * const signal = createSignal({ type: "lead.received", source: "/crm", data: { leadId: "123" } })
 * signal.id // "0192f0c1-…"
 */
export function createSignal<Data>(input: SignalInput<Data>, options: CopyOptions = {}): Signal<Data> {
  // The data comes back as it is, checked to be JSON, so the type the caller gave still holds.
  return assemble(input, (data) => copyJson(data, "data", options)) as Signal<Data>
}

/**
 * Reads a signal from outside, a parsed CloudEvents JSON object. `specversion` "1.0" and "1.0.2" are
 * accepted; `id` is required; an attribute that is null counts as missing.
 *
 * @throws FleetPromptError `signal_invalid`, `data_not_json`, `data_too_deep`
 * @example
 * parseSignal(JSON.parse(body))
 */
export function parseSignal(value: unknown): Signal {
  return assemble(membersOf(value), (data) => copyJson(data, "data"))
}

/**
 * Like `parseSignal`, for a value that JSON.parse made of `text` and that nobody else holds: its data is
 * frozen where it stands, unless it has a fault.
 *
 * @throws FleetPromptError `signal_invalid`, `data_not_json`, `data_too_deep`
 */
export function adoptSignal(value: unknown, text: string): Signal {
  return assemble(membersOf(value), (data) => adoptJson(data, text, "data"))
}

function membersOf(value: unknown): Members {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("signal", "an object with CloudEvents attributes", describe(value))
  }
  // Any object has members, and `assemble` checks each.
  const members = value as Members
  if (members["specversion"] !== "1.0" && members["specversion"] !== "1.0.2") {
    throw invalid("specversion", `"1.0"`, describe(members["specversion"]))
  }
  if (members["id"] == null) throw invalid("id", "a text that is not empty", describe(members["id"]))
  return members
}

function assemble(input: Members, takeData: (data: unknown) => JsonValue): Signal {
  const { id, source, type, time, subject, datacontenttype, dataschema, data, data_base64: binary } = input
  const signal: Record<string, unknown> = {
    specversion: "1.0",
    id: id == null ? newId() : checkAttribute("id", id),
    source: checkAttribute("source", source),
    type: checkType(type),
    time: time == null ? timeNow() : checkTime(time),
  }
  // One by one, not in a loop over their names, which takes half as long again for the whole signal.
  if (subject != null) signal["subject"] = checkAttribute("subject", subject)
  if (datacontenttype != null) signal["datacontenttype"] = checkAttribute("datacontenttype", datacontenttype)
  if (dataschema != null) signal["dataschema"] = checkAttribute("dataschema", dataschema)
  for (const name of Object.keys(input)) if (!OWN.has(name)) addExtension(signal, name, input[name])
  if (binary == null) signal["data"] = takeData(data ?? null)
  else signal["data_base64"] = checkBinary(binary, data)
  // Each attribute was put in above; only `data` may be absent, and then reads as undefined.
  return Object.freeze(signal) as unknown as Signal
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
    // It is an object, for it could be read. What `parseSignal` leaves out or makes is not there for who reads it here.
    const { data: _, ...attributes } = value as Members
    return attributes["time"] !== undefined && !Object.values(attributes).includes(null)
  } catch {
    return false
  }
}

/**
 * Refuses what cannot be the type of a signal.
 *
 * @throws FleetPromptError `signal_invalid`
 */
export function checkType(value: unknown): string {
  const type = checkAttribute("type", value)
  if (!TYPE.test(type)) {
    throw invalid(
      "type",
      `segments of letters, digits, "_" or "-" with dots between, such as "lead.received"`,
      describe(value),
    )
  }
  return type
}

function checkTime(value: unknown): string {
  if (typeof value === "string" && value.length <= MAX_ATTRIBUTE && isTime(value)) return value
  throw invalid("time", `an RFC 3339 time such as "2026-01-31T12:00:00Z"`, describe(value))
}

function checkAttribute(name: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw invalid(name, "a text that is not empty", describe(value))
  return checkText(name, value)
}

function checkText(name: string, value: string): string {
  if (value.length > MAX_ATTRIBUTE)
    throw invalid(name, `at most ${MAX_ATTRIBUTE} characters`, `${value.length} characters`)
  const fault = textFault(value)
  if (fault !== undefined) throw invalid(name, "text that Postgres can hold", fault)
  return value
}

function addExtension(signal: Record<string, unknown>, name: string, value: unknown): void {
  if (!EXTENSION_NAME.test(name))
    throw invalid(name, "an extension name of lower-case letters and digits", describe(name))
  if (value != null) signal[name] = checkExtension(name, value)
}

function checkExtension(name: string, value: unknown): string | boolean | number {
  if (typeof value === "string") return checkText(name, value)
  if (typeof value === "boolean" || (typeof value === "number" && Number.isInteger(value))) return value
  throw invalid(name, "a string, a boolean or an integer", describe(value))
}

function checkBinary(value: unknown, data: unknown): string {
  if (data != null) throw invalid("data_base64", "either data or data_base64", "both")
  const text = value instanceof Uint8Array ? bytesToBase64(value) : value
  if (typeof text === "string" && text.length % 4 === 0 && BASE64.test(text)) return text
  throw invalid(
    "data_base64",
    "bytes or base64 with its padding",
    typeof value === "string" ? `a text of ${value.length} characters` : describe(value),
  )
}

function invalid(path: string, expected: string, came: string): FleetPromptError {
  return new FleetPromptError("signal_invalid", `expected ${expected} as ${path}, got ${came}`, { path })
}

/** Names a value without showing long or nested content. */
function describe(value: unknown): string {
  if (typeof value === "string")
    return value.length <= 60 ? JSON.stringify(value) : `a text of ${value.length} characters`
  if (value === null) return "null"
  if (Array.isArray(value)) return "an array"
  return typeof value === "object" ? "an object" : String(value)
}
