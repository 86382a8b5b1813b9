import { FleetPromptError } from "../../errors.ts"
import type { Signal } from "../signal.ts"
import { formatTracestate, parseTracestate } from "./trace-state.ts"

/** A place in a distributed trace (W3C Trace Context level 2). */
export interface TraceContext {
  /** The whole trace: 32 lower-case hex digits, not all zero. */
  readonly traceId: string
  /** One step of it: 16 lower-case hex digits, not all zero. */
  readonly spanId: string
  /** Whether the step may have been recorded. Default false. */
  readonly sampled?: boolean
  /** Whether the last seven bytes of the trace id are random. Default false. */
  readonly random?: boolean
  /** What tracing vendors pass along, as in the header `tracestate`. */
  readonly tracestate?: string
}

/** How a new span, and a new trace, is made. */
export interface ChildTraceOptions {
  /** Whether a new trace is to be recorded. Default false, as the standard has it for who does not decide. */
  readonly sampled?: boolean
  /** Fills the array with random bytes. Default `crypto.getRandomValues`. */
  readonly random?: (bytes: Uint8Array) => void
}

const SAMPLED = 0b01
const RANDOM = 0b10
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/s
const TRACE_ID = /^(?!0+$)[0-9a-f]{32}$/
const SPAN_ID = /^(?!0+$)[0-9a-f]{16}$/

/**
 * Reads a `traceparent`. Undefined when it breaks the rules: then the trace is to be started anew. Of
 * a version that is not known yet, what stands where version 00 has it is read.
 *
 * @example
 * parseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
 * // { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", sampled: true, random: false }
 */
export function parseTraceparent(text: string): TraceContext | undefined {
  const [, version, traceId = "", spanId = "", flags = "", more] = TRACEPARENT.exec(text) ?? []
  const isKnown = version === "00"
  if (version === undefined || version === "ff" || (isKnown && more !== undefined)) return undefined
  if (!TRACE_ID.test(traceId) || !SPAN_ID.test(spanId)) return undefined
  const bits = Number.parseInt(flags, 16)
  // The standard names the sampled flag alone as readable in versions to come.
  return { traceId, spanId, sampled: (bits & SAMPLED) !== 0, random: isKnown && (bits & RANDOM) !== 0 }
}

/**
 * Writes a `traceparent` of version 00.
 *
 * @throws FleetPromptError `trace_invalid`, `path` is `traceId` or `spanId`
 * @example
 * formatTraceparent({ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", sampled: true })
 * // 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 */
export function formatTraceparent({ traceId, spanId, sampled = false, random = false }: TraceContext): string {
  if (!TRACE_ID.test(traceId)) throw malformed("traceId", "32 lower-case hex digits, not all zero,", traceId)
  if (!SPAN_ID.test(spanId)) throw malformed("spanId", "16 lower-case hex digits, not all zero,", spanId)
  return `00-${traceId}-${spanId}-0${(sampled ? SAMPLED : 0) | (random ? RANDOM : 0)}`
}

/**
 * A copy of a signal that carries a trace, in the attributes of the CloudEvents extension Distributed
 * Tracing. What it carried before is gone.
 *
 * @throws FleetPromptError `trace_invalid`
 * @example
 * const traced = withTrace(signal, childTrace(traceOf(cause)))
 */
export function withTrace<Given extends Signal>(signal: Given, trace: TraceContext): Given {
  const { traceparent: _, tracestate: __, ...rest } = signal
  const tracestate = normalised(trace.tracestate)
  const traced = { ...rest, traceparent: formatTraceparent(trace), ...(tracestate !== "" && { tracestate }) }
  // Two extensions were replaced; every attribute that Given names is as it was.
  return Object.freeze(traced) as unknown as Given
}

/**
 * The trace that a signal carries. Undefined when it carries none, or one that breaks the rules; a
 * `tracestate` that does is left out.
 *
 * @example
 * traceOf(signal)?.traceId
 */
export function traceOf(signal: Signal): TraceContext | undefined {
  const { traceparent, tracestate } = signal
  const trace = typeof traceparent === "string" ? parseTraceparent(traceparent) : undefined
  const members = typeof tracestate === "string" ? parseTracestate(tracestate) : undefined
  return trace && members?.length ? { ...trace, tracestate: formatTracestate(members) } : trace
}

/**
 * A new step in the trace of a parent; without a parent, the first step of a new trace.
 *
 * @throws FleetPromptError `trace_invalid`
 * @example
 * const trace = childTrace(traceOf(signal))
 */
export function childTrace(parent?: TraceContext, options: ChildTraceOptions = {}): TraceContext {
  const random = options.random ?? ((bytes: Uint8Array) => void crypto.getRandomValues(bytes))
  const spanId = randomHex(8, random)
  if (parent === undefined)
    return { traceId: randomHex(16, random), spanId, sampled: options.sampled ?? false, random: true }
  formatTraceparent(parent)
  return { ...parent, spanId }
}

/** Random hex digits, not all zero. */
function randomHex(size: number, random: (bytes: Uint8Array) => void): string {
  const bytes = new Uint8Array(size)
  do random(bytes)
  while (bytes.every((byte) => byte === 0))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

function normalised(tracestate = ""): string {
  const members = parseTracestate(tracestate)
  if (members) return formatTracestate(members)
  throw malformed("tracestate", "a list of key=value as W3C Trace Context has it", tracestate)
}

function malformed(path: string, expected: string, came: unknown): FleetPromptError {
  return new FleetPromptError(
    "trace_invalid",
    `expected ${expected} as ${path}, got ${JSON.stringify(String(came).slice(0, 60))}`,
    {
      path,
    },
  )
}
