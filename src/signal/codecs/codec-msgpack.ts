import { FleetPromptError } from "../../errors.ts"
import { base64ToBytes, bytesToBase64 } from "../base64.ts"
import { checkMsgpack } from "./codec-msgpack-check.ts"
import { loadPeer } from "./optional-peer.ts"
import { parseSignal, type Signal } from "../signal.ts"

const importMsgpack = () => import("@msgpack/msgpack")
type Msgpack = Awaited<ReturnType<typeof importMsgpack>>
/** Kept, because asking the module loader again takes longer than to encode. */
let loaded: Msgpack | undefined

/**
 * A signal as MessagePack: a map with the members that its JSON has, but binary data as bytes in
 * `data`. Needs the package `@msgpack/msgpack`, which is loaded by the first call.
 *
 * @throws FleetPromptError `peer_missing`; `data_not_json` for data with a key `__proto__`, which
 * that package does not read back
 * @example
 * const bytes = await encodeMsgpack(signal)
 */
export async function encodeMsgpack(signal: Signal): Promise<Uint8Array<ArrayBuffer>> {
  const { encode } = loaded ?? (await load())
  const { data_base64: base64, ...rest } = signal
  if (typeof base64 === "string") return encode({ ...rest, data: base64ToBytes(base64) }, { maxDepth: Infinity })
  if (hasProtoKey(signal.data)) throw protoKey()
  return encode(signal, { maxDepth: Infinity })
}

/**
 * Reads a signal from MessagePack.
 *
 * @throws FleetPromptError `peer_missing`, `decode_failed` for what is no MessagePack, `signal_invalid`,
 * `data_not_json`, `data_too_deep`
 * @example
 * const signal = await decodeMsgpack(bytes)
 */
export async function decodeMsgpack(bytes: Uint8Array): Promise<Signal> {
  const { decode } = loaded ?? (await load())
  checkMsgpack(bytes)
  let event: unknown
  try {
    event = decode(bytes)
  } catch (cause) {
    throw new FleetPromptError("decode_failed", `expected MessagePack, got ${bytes.length} bytes that are none`, {
      cause,
    })
  }
  return parseSignal(withBase64(event))
}

async function load(): Promise<Msgpack> {
  loaded = await loadPeer("@msgpack/msgpack", importMsgpack)
  return loaded
}

function withBase64(event: unknown): unknown {
  if (typeof event !== "object" || event === null || !("data" in event)) return event
  const { data, ...rest } = event
  return data instanceof Uint8Array ? { ...rest, data_base64: bytesToBase64(data) } : event
}

function hasProtoKey(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false
  if (Object.hasOwn(value, "__proto__")) return true
  return Object.values(value).some(hasProtoKey)
}

function protoKey(): FleetPromptError {
  return new FleetPromptError("data_not_json", `expected data without a key "__proto__" for MessagePack, got one`, {
    path: "data",
  })
}
