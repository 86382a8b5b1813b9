import type { DispatchHookContext, DispatchOutcome, Middleware } from "./middleware.ts"
import type { Signal } from "../signal.ts"
import { childTrace, traceOf, type TraceContext, withTrace } from "../trace/trace-context.ts"

/** One dispatch as a step of a trace. */
export interface DispatchSpan {
  readonly signal: Signal
  readonly trace: TraceContext
  /** The step before it. Undefined when it began the trace. */
  readonly parentSpanId: string | undefined
  readonly subscription: string
  readonly outcome: DispatchOutcome
}

/** How `trace` works. */
export interface TraceOptions {
  /** The trace under way where a signal is published, for example OpenTelemetry's active span. Default none. */
  readonly current?: () => TraceContext | undefined
  /** Whether traces that begin here are to be recorded. Default false. */
  readonly sampled?: boolean
  /** Hears of each dispatch when it has ended. */
  readonly onSpan?: (span: DispatchSpan) => void
  /** Fills the array with random bytes. Default `crypto.getRandomValues`. */
  readonly random?: (bytes: Uint8Array) => void
}

/**
 * Middleware that has every signal carry a trace, in `traceparent`. A signal that has one when it is
 * published keeps it; others join the trace under way, or begin one. Each subscriber gets the signal
 * with a step of its own, so that what it does next can be told from what others do. What replay and
 * snapshot read is left as it is.
 *
 * @example
 * const bus = createBus({ middleware: [trace({ onSpan: (span) => record(span) })] })
 */
export function trace({ current, sampled, onSpan, random }: TraceOptions = {}): Middleware {
  const options = { ...(sampled !== undefined && { sampled }), ...(random && { random }) }
  const steps = new WeakMap<DispatchHookContext, Omit<DispatchSpan, "signal" | "subscription" | "outcome">>()
  return {
    name: "trace",
    beforePublish: (signal) => {
      if (traceOf(signal)) return undefined
      return withTrace(signal, current?.() ?? childTrace(undefined, options))
    },
    beforeDispatch: (signal, context) => {
      if (context.path === "replay" || context.path === "snapshot") return undefined
      const parent = traceOf(signal)
      const step = childTrace(parent, options)
      steps.set(context, { trace: step, parentSpanId: parent?.spanId })
      return withTrace(signal, step)
    },
    ...(onSpan && {
      afterDispatch: (signal: Signal, outcome: DispatchOutcome, context: DispatchHookContext) => {
        const step = steps.get(context)
        if (step) onSpan({ signal, ...step, subscription: context.subscription, outcome })
      },
    }),
  }
}
