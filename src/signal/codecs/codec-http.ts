import { FleetPromptError, isFleetPromptError } from "../../errors.ts"
import { base64ToBytes } from "../base64.ts"
import { decodeText, encodeText } from "./charset.ts"
import { decodeHeaderValue, encodeHeaderValue, type HttpHeaders, readHeaders } from "./codec-http-header.ts"
import { decodeJson, encodeJson, jsonText, parseJson } from "./codec-json.ts"
import { type MediaType, parseMediaType } from "./media-type.ts"
import { adoptSignal, parseSignal, type Signal } from "../signal.ts"

/** Headers and body of a request or response, as `fetch` and `Response` take them. */
export interface HttpMessage {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Without a content type always bytes: to a text without one, `fetch` would add its own. */
  readonly body: string | Uint8Array<ArrayBuffer>
}

/** What came in. */
export interface IncomingHttpMessage {
  readonly headers: HttpHeaders
  /** The body as it came. A text is taken as decoded already. */
  readonly body?: string | Uint8Array | ArrayBuffer | null
}

/** Begins the media types of structured and batched messages; no other message may use it. */
const CLOUDEVENTS = "application/cloudevents"
const STRUCTURED = `${CLOUDEVENTS}+json`
const BATCH_PREFIX = `${CLOUDEVENTS}-batch`
const BATCH = `${BATCH_PREFIX}+json`
const PREFIX = "ce-"
/** What no header may carry, because the body or Content-Type does. */
const NO_HEADER = new Set(["data", "data_base64", "datacontenttype"])
const PRINTABLE = /^[\u0020-\u007E]+$/

/**
 * A signal as an HTTP message (CloudEvents HTTP binding 1.0.2): `structured` has all in a JSON body,
 * `binary` the data as body and the other attributes as `ce-` headers. Binary mode makes the content
 * type of JSON data explicit, and integers and booleans become text, as the binding has it.
 *
 * @throws FleetPromptError `signal_invalid` when binary mode cannot carry the signal; `path` names the attribute
 * @example
 * const { headers, body } = toHttp(signal, "binary")
 * await fetch("https://example.com/events", { method: "POST", headers, body })
 */
export function toHttp(signal: Signal, mode: "structured" | "binary" = "structured"): HttpMessage {
  switch (mode) {
    case "structured":
      return { headers: { "content-type": STRUCTURED }, body: encodeJson(signal) }
    case "binary":
      return toBinary(signal)
  }
}

/**
 * Signals as one HTTP message, a JSON array. Send it only to who asked for batches.
 *
 * @example
 * const { headers, body } = toHttpBatch([first, second])
 */
export function toHttpBatch(signals: readonly Signal[]): HttpMessage {
  return { headers: { "content-type": BATCH }, body: `[${signals.map(encodeJson).join(",")}]` }
}

/**
 * Reads a CloudEvent from an HTTP message, whatever its mode: a signal, or for a batch an array. In
 * binary mode JSON is parsed; `text/*`, XML and what names a charset become text; anything else, and
 * what is not text in its charset, `data_base64`.
 *
 * @throws FleetPromptError `decode_failed` for no CloudEvent, `signal_invalid`, `data_not_json`, `data_too_deep`
 * @example
 * const event = fromHttp({ headers: request.headers, body: await request.arrayBuffer() })
 * const signals = Array.isArray(event) ? event : [event]
 */
export function fromHttp(message: IncomingHttpMessage): Signal | Signal[] {
  const headers = readHeaders(message.headers)
  const contentType = headers.get("content-type")
  const media = contentType === undefined ? undefined : parseMediaType(contentType)
  const body = bodyOf(message.body)
  if (!media?.essence.startsWith(CLOUDEVENTS)) return fromBinary(headers, contentType, media, body)
  if (media.essence === STRUCTURED) return decodeJson(jsonText(body, media.charset))
  if (media.essence === BATCH) return fromBatch(parseJson(jsonText(body, media.charset)))
  throw failed(`the format ${STRUCTURED} or ${BATCH}`, media.essence)
}

function bodyOf(body: IncomingHttpMessage["body"]): string | Uint8Array {
  return body instanceof ArrayBuffer ? new Uint8Array(body) : (body ?? "")
}

function fromBatch(events: unknown): Signal[] {
  if (!Array.isArray(events)) throw failed("an array of events", "other JSON")
  return events.map((event, index) => {
    try {
      return parseSignal(event)
    } catch (error) {
      throw isFleetPromptError(error) ? atIndex(error, index) : error
    }
  })
}

function atIndex(error: FleetPromptError, index: number): FleetPromptError {
  const path = error.path === undefined ? `[${index}]` : `[${index}].${error.path}`
  return new FleetPromptError(error.code, `event ${index} of the batch: ${error.message}`, { path, cause: error })
}

function toBinary(signal: Signal): HttpMessage {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(signal))
    if (!NO_HEADER.has(name) && value !== undefined) headers[PREFIX + name] = headerOf(name, value)
  const contentType = contentTypeOf(signal)
  if (contentType !== undefined) headers["content-type"] = contentType
  return { headers, body: encodeData(signal, contentType) }
}

function headerOf(name: string, value: unknown): string {
  if (typeof value !== "string" && typeof value !== "boolean" && typeof value !== "number")
    throw cannotCarry(name, "a string, a boolean or an integer", `an ${typeof value}`)
  return encodeHeaderValue(String(value))
}

/** Data that says nothing of its type is JSON; bytes and no data are not. */
function contentTypeOf(signal: Signal): string | undefined {
  const { datacontenttype, data, data_base64 } = signal
  if (datacontenttype === undefined) return data_base64 === undefined && data !== null ? "application/json" : undefined
  if (!PRINTABLE.test(datacontenttype)) throw cannotCarry("datacontenttype", "printable ASCII", "other characters")
  if (datacontenttype.toLowerCase().startsWith(CLOUDEVENTS))
    throw cannotCarry("datacontenttype", "a type that is not CloudEvents' own; send it structured", datacontenttype)
  return datacontenttype
}

function encodeData(signal: Signal, contentType: string | undefined): string | Uint8Array<ArrayBuffer> {
  if (typeof signal.data_base64 === "string") return base64ToBytes(signal.data_base64)
  if (contentType === undefined) return new Uint8Array()
  const media = parseMediaType(contentType)
  if (media.kind === "json") return encodeIn(media, JSON.stringify(signal.data))
  if (signal.data === null) return ""
  if (typeof signal.data === "string") return encodeIn(media, signal.data)
  throw cannotCarry("data", `text or data_base64 for the type ${media.essence}`, "another JSON value")
}

function encodeIn({ charset, kind }: MediaType, text: string): string | Uint8Array<ArrayBuffer> {
  if (charset === undefined || /^utf-?8$/i.test(charset)) return text
  const bytes = encodeText(kind === "json" ? escapeNonAscii(text) : text, charset)
  if (bytes) return bytes
  throw cannotCarry("data", `text that ${charset} can spell; use charset=utf-8 or data_base64`, "other text")
}

/** JSON spells every character in ASCII, which is part of every charset we write. */
function escapeNonAscii(json: string): string {
  return json.replaceAll(/[\u0080-\uFFFF]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
}

function fromBinary(
  headers: ReadonlyMap<string, string>,
  contentType: string | undefined,
  media: MediaType | undefined,
  body: string | Uint8Array,
): Signal {
  const attributes = attributesOf(headers)
  if (attributes.length === 0)
    throw failed(`${STRUCTURED}, ${BATCH} or headers that begin with ${PREFIX}`, contentType ?? "no content type")
  const event: Record<string, unknown> = Object.fromEntries(attributes)
  if (contentType !== undefined) event["datacontenttype"] = contentType
  if (media?.kind !== "json" || body.length === 0) return parseSignal({ ...event, ...dataOf(media, body) })
  const text = jsonText(body, media.charset)
  return adoptSignal({ ...event, data: parseJson(text) }, text)
}

function attributesOf(headers: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  const found = [...headers].filter(([name]) => name.startsWith(PREFIX))
  return found.map(([header, value]) => {
    const name = header.slice(PREFIX.length)
    if (NO_HEADER.has(name)) throw failed(`no header ${header}, because the body and Content-Type say it`, "one")
    return [name, decodeHeaderValue(value, header)]
  })
}

/** The data of a body that is no JSON. */
function dataOf(media: MediaType | undefined, body: string | Uint8Array): Record<string, unknown> {
  const isText = media?.kind === "text"
  if (body.length === 0) return isText ? { data: "" } : {}
  const text = typeof body === "string" ? body : isText ? decodeText(body, media.charset ?? "utf-8") : undefined
  if (isText && text !== undefined && !text.includes("\u0000")) return { data: text }
  return { data_base64: typeof body === "string" ? new TextEncoder().encode(body) : body }
}

function failed(expected: string, came: string): FleetPromptError {
  return new FleetPromptError("decode_failed", `expected ${expected}, got ${came}`)
}

function cannotCarry(path: string, expected: string, came: string): FleetPromptError {
  return new FleetPromptError("signal_invalid", `binary mode expects ${expected} as ${path}, got ${came}`, { path })
}
