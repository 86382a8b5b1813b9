import type { DispatchHookContext, DispatchOutcome, Middleware, PublishContext, PublishOutcome } from "./middleware.ts"
import type { Signal } from "../signal.ts"

/** Labels of a measurement. */
export type MetricLabels = Readonly<Record<string, string>>

/** Where measurements go: a few lines in front of any metrics library. */
export interface MetricsSink {
  /** Something happened so many times. */
  readonly count: (name: string, value: number, labels: MetricLabels) => void
  /** Something took so many milliseconds. */
  readonly duration: (name: string, ms: number, labels: MetricLabels) => void
}

/** How `metrics` labels. */
export interface MetricsOptions {
  /**
   * Labels besides the outcome, and for dispatches the path. Choose ones with few values: a type that
   * comes from outside may be anything. Default none.
   */
  readonly labels?: (signal: Signal, context: PublishContext | DispatchHookContext) => MetricLabels
}

/**
 * Middleware that counts and times: `signals.published` and `signals.publish_duration` by outcome
 * (published, skipped, halted); `signals.dispatched` and `signals.dispatch_duration` by outcome
 * (delivered, skipped, failed, halted) and path. Put it first in the stack, so that it sees what the
 * others decide.
 *
 * @example
 * const bus = createBus({
 *   middleware: [metrics({ count: (name, value, labels) => counter(name).add(value, labels), duration: () => {} })],
 * })
 */
export function metrics(sink: MetricsSink, { labels = () => ({}) }: MetricsOptions = {}): Middleware {
  const measure = (name: string, outcome: PublishOutcome | DispatchOutcome, found: MetricLabels) => {
    const all = { ...found, outcome: outcome.kind }
    sink.count(`signals.${name}ed`, 1, all)
    sink.duration(`signals.${name}_duration`, outcome.durationMs, all)
  }
  return {
    name: "metrics",
    afterPublish: (signal, outcome, context) => measure("publish", outcome, labels(signal, context)),
    afterDispatch: (signal, outcome, context) =>
      measure("dispatch", outcome, { ...labels(signal, context), path: context.path }),
  }
}
