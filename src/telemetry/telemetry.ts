import type { TelemetryEvents, TelemetryListener, TelemetryName } from "./events.ts"
import { callListener } from "./listener-warning.ts"
import { runSpan } from "./run-span.ts"
import type { SpanListener, SpanName, TelemetrySpans } from "./spans.ts"

/** Where the steps tell what they do, and listeners hear it. The core itself never logs. */
export class Telemetry {
  readonly #listeners = new Set<TelemetryListener>()
  readonly #spanListeners = new Set<SpanListener>()
  /** Who hears a step, found once for each. */
  readonly #hearers = new Map<SpanName, readonly SpanListener[]>()

  /**
   * Hears every event, when it is a function, or every step, when it is a `SpanListener`, until the returned
   * function is called.
   *
   * @example
   * const end = fleet.telemetry.listen((name, fields) => console.log(name, fields))
   * @example
   * fleet.telemetry.listen({ stop: ({ name }, durationMs) => console.log(name, durationMs) })
   */
  listen(listener: TelemetryListener | SpanListener): () => void {
    if (typeof listener === "function") {
      this.#listeners.add(listener)
      return () => void this.#listeners.delete(listener)
    }
    this.#spanListeners.add(listener)
    this.#hearers.clear()
    return () => {
      this.#spanListeners.delete(listener)
      this.#hearers.clear()
    }
  }

  /** Tells all listeners. One that throws is reported as a process warning and harms nobody. */
  tell<Name extends TelemetryName>(name: Name, fields: TelemetryEvents[Name]): void {
    for (const listener of this.#listeners) callListener(name, () => listener(name, fields))
  }

  /** Whether anybody hears steps, for a caller that would work for nothing otherwise. */
  get hearsSpans(): boolean {
    return this.#spanListeners.size > 0
  }

  /**
   * Runs a step and tells its listeners. When nobody hears this one, it does nothing but call `run`.
   *
   * @param atStop what the step knows at its end, made of its result
   * @returns what `run` returns
   *
   * @example
   * await telemetry.span("claim", { worker, lanes: 3 }, () => claim(), (rows) => ({ deliveries: rows.length }))
   */
  span<Name extends SpanName, Result>(
    name: Name,
    fields: TelemetrySpans[Name],
    run: () => Promise<Result>,
    atStop?: (result: Result) => Partial<TelemetrySpans[Name]>,
  ): Promise<Result> {
    if (this.#spanListeners.size === 0) return run()
    const hearers = this.#hearersOf(name)
    return hearers.length === 0 ? run() : runSpan(hearers, { name, fields, run, atStop })
  }

  /** The `traceparent` of what is going on now, as the first listener that knows one says it. */
  traceparent(): string | undefined {
    for (const listener of this.#spanListeners) {
      const current = callListener("traceparent", () => listener.traceparent?.())
      if (current !== undefined) return current
    }
    return undefined
  }

  #hearersOf(name: SpanName): readonly SpanListener[] {
    const known = this.#hearers.get(name)
    if (known) return known
    const hearers = [...this.#spanListeners].filter(({ steps }) => !steps || steps.includes(name))
    this.#hearers.set(name, hearers)
    return hearers
  }
}
