/** The signal library: works without Postgres, in any JavaScript runtime, and has no dependency. */
export { type ErrorCode, FleetPromptError, isFleetPromptError } from "./errors.ts"

export { newId } from "./signal/id.ts"
export type { JsonObject, JsonValue } from "./signal/json.ts"
export { createSignal, isSignal, parseSignal, type Signal, type SignalInput } from "./signal/signal.ts"
export type { SignalMetadata, StoredSignal, Visibility } from "./signal/stored-signal.ts"
export {
  defineSignal,
  type SignalDefinition,
  type TypedSignal,
  type TypedSignalAttributes,
} from "./signal/define-signal.ts"
export type { InferInput, InferOutput, StandardSchema } from "./signal/standard-schema.ts"

export { type CompiledPattern, compilePattern, matches } from "./signal/pattern.ts"
export { createRouter, type Route, type RouteOptions, type Router, type RouterOptions } from "./signal/router/router.ts"

export type { Bus, PublishOptions } from "./signal/bus/bus.ts"
export type { StartFrom } from "./signal/bus/bus-log.ts"
export type { Published, PublishResult, PublishSkipped } from "./signal/bus/bus-fan-out.ts"
export type { Replay, ReplayOptions, Snapshot, SnapshotOptions } from "./signal/bus/bus-reader.ts"
export { createBus } from "./signal/bus/bus-in-process.ts"
export type { BusOptions, LogOptions } from "./signal/bus/bus-options.ts"
export type {
  Delivery,
  DroppedSignal,
  FaultPlace,
  NackOptions,
  PersistentOptions,
  SubscribeOptions,
  Subscription,
  SubscriptionInfo,
  WhenFull,
} from "./signal/bus/subscription.ts"
export {
  type Checkpoint,
  type CheckpointStore,
  type DeadLetter,
  memoryCheckpoints,
} from "./signal/bus/subscription-checkpoint.ts"

export {
  type DispatchHookContext,
  type DispatchPath,
  type DispatchOutcome,
  type Halt,
  halt,
  type Middleware,
  type PublishContext,
  type PublishOutcome,
  type Skip,
  skip,
  type Verdict,
} from "./signal/middleware/middleware.ts"
export { authorise, type AuthoriseOptions } from "./signal/middleware/middleware-authorise.ts"
export { type CreateMiddleware, middlewareContract } from "./signal/middleware/middleware-contract.ts"
export { log, type LogMiddlewareOptions } from "./signal/middleware/middleware-log.ts"
export {
  type MetricLabels,
  metrics,
  type MetricsOptions,
  type MetricsSink,
} from "./signal/middleware/middleware-metrics.ts"
export { rateLimit, type RateLimitOptions } from "./signal/middleware/middleware-rate-limit.ts"
export { type DispatchSpan, trace, type TraceOptions } from "./signal/middleware/middleware-trace.ts"

export type { DispatchAdapter, DispatchContext } from "./signal/dispatch/dispatch-adapter.ts"
export {
  type CreateDispatchFixture,
  dispatchContract,
  type DispatchFixture,
} from "./signal/dispatch/dispatch-contract.ts"
export {
  type AdapterDispatch,
  createDispatcher,
  type Dispatch,
  type Dispatcher,
  type DispatcherOptions,
  type DispatchFunction,
} from "./signal/dispatch/dispatcher.ts"
export { DispatchError, type DispatchErrorOptions, isDispatchError } from "./signal/dispatch/dispatch-error.ts"
export { consoleAdapter, type ConsoleOptions } from "./signal/dispatch/adapter-console.ts"
export { httpAdapter, type HttpOptions } from "./signal/dispatch/adapter-http.ts"
export { loggerAdapter, type LoggerOptions, type SignalLogger } from "./signal/dispatch/adapter-logger.ts"
export { namedAdapter, type NamedOptions } from "./signal/dispatch/adapter-named.ts"
export { noopAdapter } from "./signal/dispatch/adapter-noop.ts"
export { topicAdapter, type TopicOptions } from "./signal/dispatch/adapter-topic.ts"
export { webhookAdapter, type WebhookOptions, type WebhookSettings } from "./signal/dispatch/adapter-webhook.ts"
export { type Breaker, type BreakerOptions, type BreakerState, createBreaker } from "./signal/dispatch/breaker.ts"
export type { Clock } from "./signal/clock.ts"
export type { RetryPolicy } from "./signal/dispatch/retry.ts"
export { parseWebhookSecret, signWebhook, type WebhookMessage } from "./signal/dispatch/standard-webhooks.ts"
export { createTargets, type Target, type Targets } from "./signal/dispatch/targets.ts"
export { createTopics, type TopicListener, type Topics } from "./signal/dispatch/topics.ts"

export {
  createJournal,
  type Journal,
  type JournalOptions,
  type JournalQuery,
  type RecordOptions,
  type RecordResult,
} from "./signal/journal/journal.ts"
export type {
  AppendOutcome,
  JournalAppend,
  JournalEntry,
  JournalFilter,
  JournalStore,
} from "./signal/journal/journal-store.ts"
export { type CreateJournalStore, journalStoreContract } from "./signal/journal/journal-store-contract.ts"
export {
  DEFAULT_MAX_SIGNALS,
  memoryJournalStore,
  type MemoryJournalStoreOptions,
} from "./signal/journal/memory-journal-store.ts"
export {
  DEFAULT_PRINTED_DEPTH,
  printTrace,
  type PrintTraceOptions,
  type TraceNode,
} from "./signal/journal/trace-tree.ts"

export {
  fromHttp,
  type HttpMessage,
  type IncomingHttpMessage,
  toHttp,
  toHttpBatch,
} from "./signal/codecs/codec-http.ts"
export type { HttpHeaders } from "./signal/codecs/codec-http-header.ts"
export { decodeJson, encodeJson } from "./signal/codecs/codec-json.ts"
export { decodeMsgpack, encodeMsgpack } from "./signal/codecs/codec-msgpack.ts"
export {
  type ChildTraceOptions,
  childTrace,
  formatTraceparent,
  parseTraceparent,
  type TraceContext,
  traceOf,
  withTrace,
} from "./signal/trace/trace-context.ts"
export { formatTracestate, parseTracestate, type TraceStateMember } from "./signal/trace/trace-state.ts"

export type { ContractRunner } from "./signal/contract-runner.ts"
