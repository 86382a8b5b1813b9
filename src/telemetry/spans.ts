import type { AttemptOutcome } from "./events.ts"

/**
 * Every step that takes time, by name with its fields. What a step only knows at its end is optional and
 * comes with its stop. Names are stable; `docs/reference/telemetry.md` describes each.
 */
export interface TelemetrySpans {
  /** A call of emit, from the guards to the commit. */
  emit: {
    readonly tenant: string
    readonly type: string
    readonly signalId?: string
    readonly correlationId?: string
    /** False: the tenant had this fact already. */
    readonly inserted?: boolean
  }
  /** Signals that gathered are stored in one statement. */
  flush: { readonly schema: string; readonly signals: number }
  /** One statement on the database, by the name that its text begins with, otherwise `other`. */
  statement: { readonly statement: string }
  /** A worker asks for deliveries. */
  claim: { readonly worker: string; readonly lanes: number; readonly deliveries?: number }
  /** The signals of claimed deliveries are read. */
  load: { readonly schema: string; readonly signals: number }
  /** A handler runs on a signal once. */
  run: {
    readonly tenant: string
    readonly signalId: string
    readonly type: string
    readonly handler: string
    readonly attempt: number
    readonly correlationId: string
    readonly causationId: string | null
    /** Where the signal was emitted, as W3C Trace Context writes it. */
    readonly traceparent: string | null
    readonly outcome?: AttemptOutcome
    /** What was thrown, where the step ends well nevertheless because the outcome is booked. */
    readonly thrown?: unknown
  }
  /** Outcomes are booked. */
  settle: { readonly schema: string; readonly settlements: number }
  /** A worker looks for what no announcement told. */
  poll: { readonly worker: string }
  /** A slot of a schedule is fired. */
  schedule: { readonly schedule: string; readonly slot: string }
  /** Retention of one tenant. */
  retention: { readonly tenant: string; readonly signals?: number }
  /** One step of a replay. */
  replay: { readonly tenant: string; readonly replayId: string; readonly deliveries?: number }
}

/** The name of a step. */
export type SpanName = keyof TelemetrySpans

/** One run of a step: its name decides which fields it has. The same object from start to stop. */
export type TelemetrySpan = {
  [Name in SpanName]: { readonly name: Name; readonly fields: TelemetrySpans[Name] }
}[SpanName]

/**
 * Hears the steps. Each step calls `start`, then `around` with its work inside, then `stop` or `error`.
 * One that throws is reported as a process warning and harms nobody.
 */
export interface SpanListener {
  /** Which steps it hears. Default: all. */
  readonly steps?: readonly SpanName[]
  /** The step begins. */
  readonly start?: (span: TelemetrySpan) => void
  /**
   * Calls `work` once, before it returns, so that the step runs inside of what is set around it, for
   * example an AsyncLocalStorage. What it returns does not matter.
   */
  readonly around?: (span: TelemetrySpan, work: () => void) => unknown
  /** The step ended well. The fields now have what it knew at its end. */
  readonly stop?: (span: TelemetrySpan, durationMs: number) => void
  /** The step threw. */
  readonly error?: (span: TelemetrySpan, error: unknown, durationMs: number) => void
  /** The `traceparent` of what is going on now. Undefined when nothing is traced. */
  readonly traceparent?: () => string | undefined
}
