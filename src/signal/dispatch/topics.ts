import type { DispatchContext } from "./dispatch-adapter.ts"
import { DispatchError } from "./dispatch-error.ts"
import type { Signal } from "../signal.ts"

/** Hears what is published on a topic. */
export type TopicListener = (signal: Signal, context: DispatchContext) => unknown

/** Topics of this process: who publishes does not know who hears. */
export interface Topics {
  /** Hears a topic, until the returned function is called. */
  readonly subscribe: (topic: string, listener: TopicListener) => () => void
  /**
   * Gives a signal to everyone who hears the topic now, at once, and waits for them. No listener is no
   * fault.
   *
   * @throws DispatchError `dispatch_failed` when a listener failed; the others got the signal, and the
   * `cause` is an AggregateError
   */
  readonly publish: (topic: string, signal: Signal, context: DispatchContext) => Promise<void>
  /** How many hear a topic. */
  readonly listeners: (topic: string) => number
}

/**
 * Makes a set of topics for `topicAdapter`.
 *
 * @example
 * const topics = createTopics()
 * const leave = topics.subscribe("leads", (signal) => console.log(signal.type))
 */
export function createTopics(): Topics {
  const topics = new Map<string, Set<{ readonly hear: TopicListener }>>()
  return {
    subscribe: (topic, listener) => {
      const listeners = topics.get(topic) ?? new Set()
      // An object of its own for each subscription, so that one function may subscribe twice and leave once.
      const subscription = { hear: listener }
      topics.set(topic, listeners.add(subscription))
      return () => {
        listeners.delete(subscription)
        if (listeners.size === 0 && topics.get(topic) === listeners) topics.delete(topic)
      }
    },
    publish: async (topic, signal, context) => {
      const listeners = [...(topics.get(topic) ?? [])]
      const results = await Promise.allSettled(listeners.map(async ({ hear }) => hear(signal, context)))
      const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []))
      if (errors.length > 0) throw notHeard(topic, listeners.length, errors)
    },
    listeners: (topic) => topics.get(topic)?.size ?? 0,
  }
}

function notHeard(topic: string, listeners: number, errors: readonly unknown[]): DispatchError {
  return new DispatchError(
    "dispatch_failed",
    `expected all of ${listeners} listeners of "${topic}" to take the signal, but ${errors.length} failed; see the cause`,
    { cause: new AggregateError(errors) },
  )
}
