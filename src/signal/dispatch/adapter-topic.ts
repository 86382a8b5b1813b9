import { refuseUnknownOptions, textOption } from "./adapter-options.ts"
import type { DispatchAdapter } from "./dispatch-adapter.ts"
import type { Topics } from "./topics.ts"

/** How `topicAdapter` is set up. */
export interface TopicSettings {
  readonly topics: Topics
}

/** The checked options of the adapter `topic`. */
export interface TopicOptions {
  /** The topic's name. */
  readonly topic: string
}

/**
 * Publishes signals on a topic of this process.
 *
 * @example
 * const topics = createTopics()
 * topics.subscribe("leads", (signal) => console.log(signal.type))
 * const dispatcher = createDispatcher({ adapters: [topicAdapter({ topics })] })
 * await dispatcher.dispatch(signal, { to: "topic", topic: "leads" })
 */
export function topicAdapter({ topics }: TopicSettings): DispatchAdapter<TopicOptions> {
  return {
    name: "topic",
    validate: (options) => {
      refuseUnknownOptions(options, ["topic"])
      return { topic: textOption(options, "topic") }
    },
    deliver: (signal, { topic }, context) => topics.publish(topic, signal, context),
  }
}
