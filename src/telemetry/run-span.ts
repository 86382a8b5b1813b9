import { callListener } from "./listener-warning.ts"
import type { SpanListener, SpanName, TelemetrySpan, TelemetrySpans } from "./spans.ts"
import { stopwatch } from "./stopwatch.ts"

/** A step to run. */
export interface SpanWork<Name extends SpanName, Result> {
  readonly name: Name
  readonly fields: TelemetrySpans[Name]
  readonly run: () => Promise<Result>
  /** What the step knows at its end. */
  readonly atStop: ((result: Result) => Partial<TelemetrySpans[Name]>) | undefined
}

/** Runs a step and tells the listeners: start, around, then stop or error. */
export async function runSpan<Name extends SpanName, Result>(
  listeners: readonly SpanListener[],
  { name, fields, run, atStop }: SpanWork<Name, Result>,
): Promise<Result> {
  // A name comes with the fields of that name. The fields are a copy, since the stop adds to them.
  const span = { name, fields: { ...fields } } as unknown as TelemetrySpan
  const tell = (call: (listener: SpanListener) => unknown): void => {
    for (const listener of listeners) callListener(name, () => call(listener))
  }
  const elapsed = stopwatch()
  tell((it) => it.start?.(span))
  try {
    const result = await runWithin(listeners, span, run)
    const durationMs = elapsed()
    callListener(name, () => Object.assign(span.fields, atStop?.(result)))
    tell((it) => it.stop?.(span, durationMs))
    return result
  } catch (error) {
    const durationMs = elapsed()
    tell((it) => it.error?.(span, error, durationMs))
    throw error
  }
}

/** Runs inside of what the listeners set around the step, the first listener outermost. */
function runWithin<Result>(
  listeners: readonly SpanListener[],
  span: TelemetrySpan,
  run: () => Promise<Result>,
): Promise<Result> {
  let result: Promise<Result> | undefined
  // Async, so that what run throws at once is the step's error and not the listener's.
  const begin = (): void => void (result = (async () => run())())
  listeners.reduceRight((work, listener) => around(listener, span, work), begin)()
  // The innermost work always runs, once.
  return result as unknown as Promise<Result>
}

/** Work with one listener around it. Runs once, even when the listener throws, forgets it or calls it again. */
function around(listener: SpanListener, span: TelemetrySpan, work: () => void): () => void {
  if (!listener.around) return work
  let isBegun = false
  const once = (): void => {
    if (isBegun) return
    isBegun = true
    work()
  }
  return () => {
    callListener(span.name, () => listener.around?.(span, once))
    once()
  }
}
