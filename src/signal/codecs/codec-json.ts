import { FleetPromptError } from "../../errors.ts"
import { decodeText } from "./charset.ts"
import { adoptSignal, type Signal } from "../signal.ts"

/**
 * A signal as JSON text, in the JSON event format of CloudEvents 1.0.2.
 *
 * @example
 * encodeJson(signal) // {"specversion":"1.0","id":"0192f0c1-…","source":"/crm",…,"data":{"leadId":"123"}}
 */
export function encodeJson(signal: Signal): string {
  if (signal.data_base64 === undefined) return JSON.stringify(signal)
  const { data: _, ...rest } = signal
  return JSON.stringify(rest)
}

/**
 * Reads a signal from JSON text, or from its UTF-8 bytes. An attribute that is null counts as absent.
 *
 * @throws FleetPromptError `decode_failed` for what is no JSON, `signal_invalid`, `data_not_json`, `data_too_deep`
 * @example
 * const signal = decodeJson(await readFile("signal.json"))
 */
export function decodeJson(json: string | Uint8Array): Signal {
  const text = jsonText(json)
  return adoptSignal(parseJson(text), text)
}

/**
 * The text of JSON that came as text or as bytes of a charset.
 *
 * @throws FleetPromptError `decode_failed`
 */
export function jsonText(json: string | Uint8Array, charset = "utf-8"): string {
  const text = typeof json === "string" ? json : decodeText(json, charset)
  if (text === undefined) throw notJson(`bytes that are no ${charset}`)
  // A byte order mark is no JSON, but a sign of the encoding, which has done its duty.
  return text.startsWith("\uFEFF") ? text.slice(1) : text
}

/**
 * Parses JSON text.
 *
 * @throws FleetPromptError `decode_failed`
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw notJson(text === "" ? "nothing" : `a text of ${text.length} characters that is none`, cause)
  }
}

function notJson(came: string, cause?: unknown): FleetPromptError {
  return new FleetPromptError("decode_failed", `expected JSON, got ${came}`, { cause })
}
