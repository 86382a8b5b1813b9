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
export { createRouter, type Route, type RouteOptions, type Router, type RouterOptions } from "./signal/router.ts"

export type { Bus, PublishOptions } from "./signal/bus.ts"
export { createBus } from "./signal/bus-in-process.ts"
export type { BusOptions, LogOptions } from "./signal/bus-options.ts"
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
} from "./signal/subscription.ts"
export {
  type Checkpoint,
  type CheckpointStore,
  type DeadLetter,
  memoryCheckpoints,
} from "./signal/subscription-checkpoint.ts"

export {
  type DispatchHookContext,
  type DispatchOutcome,
  type Halt,
  halt,
  type Middleware,
  type PublishContext,
  type PublishOutcome,
  type Skip,
  skip,
  type Verdict,
} from "./signal/middleware.ts"
export { authorise, type AuthoriseOptions } from "./signal/middleware-authorise.ts"
export { type CreateMiddleware, middlewareContract } from "./signal/middleware-contract.ts"
export { log, type LogMiddlewareOptions } from "./signal/middleware-log.ts"
export { type MetricLabels, metrics, type MetricsOptions, type MetricsSink } from "./signal/middleware-metrics.ts"
export { rateLimit, type RateLimitOptions } from "./signal/middleware-rate-limit.ts"
export { type DispatchSpan, trace, type TraceOptions } from "./signal/middleware-trace.ts"

export type { DispatchAdapter, DispatchContext } from "./signal/dispatch-adapter.ts"
export { type CreateDispatchFixture, dispatchContract, type DispatchFixture } from "./signal/dispatch-contract.ts"
export {
  type AdapterDispatch,
  createDispatcher,
  type Dispatch,
  type Dispatcher,
  type DispatcherOptions,
  type DispatchFunction,
} from "./signal/dispatcher.ts"
export { DispatchError, type DispatchErrorOptions, isDispatchError } from "./signal/dispatch-error.ts"
export { consoleAdapter, type ConsoleOptions } from "./signal/adapter-console.ts"
export { httpAdapter, type HttpOptions } from "./signal/adapter-http.ts"
export { loggerAdapter, type LoggerOptions, type SignalLogger } from "./signal/adapter-logger.ts"
export { namedAdapter, type NamedOptions } from "./signal/adapter-named.ts"
export { noopAdapter } from "./signal/adapter-noop.ts"
export { topicAdapter, type TopicOptions } from "./signal/adapter-topic.ts"
export { webhookAdapter, type WebhookOptions, type WebhookSettings } from "./signal/adapter-webhook.ts"
export { type Breaker, type BreakerOptions, type BreakerState, createBreaker } from "./signal/breaker.ts"
export type { Clock } from "./signal/clock.ts"
export type { RetryPolicy } from "./signal/retry.ts"
export { parseWebhookSecret, signWebhook, type WebhookMessage } from "./signal/standard-webhooks.ts"
export { createTargets, type Target, type Targets } from "./signal/targets.ts"
export { createTopics, type TopicListener, type Topics } from "./signal/topics.ts"

export {
  createJournal,
  type Journal,
  type JournalOptions,
  type JournalQuery,
  type RecordOptions,
  type RecordResult,
} from "./signal/journal.ts"
export type { AppendOutcome, JournalAppend, JournalEntry, JournalFilter, JournalStore } from "./signal/journal-store.ts"
export { type CreateJournalStore, journalStoreContract } from "./signal/journal-store-contract.ts"
export {
  DEFAULT_MAX_SIGNALS,
  memoryJournalStore,
  type MemoryJournalStoreOptions,
} from "./signal/memory-journal-store.ts"
export { DEFAULT_PRINTED_DEPTH, printTrace, type PrintTraceOptions, type TraceNode } from "./signal/trace-tree.ts"

export { fromHttp, type HttpMessage, type IncomingHttpMessage, toHttp, toHttpBatch } from "./signal/codec-http.ts"
export type { HttpHeaders } from "./signal/codec-http-header.ts"
export { decodeJson, encodeJson } from "./signal/codec-json.ts"
export { decodeMsgpack, encodeMsgpack } from "./signal/codec-msgpack.ts"
export {
  type ChildTraceOptions,
  childTrace,
  formatTraceparent,
  parseTraceparent,
  type TraceContext,
  traceOf,
  withTrace,
} from "./signal/trace-context.ts"
export { formatTracestate, parseTracestate, type TraceStateMember } from "./signal/trace-state.ts"

export type { ContractRunner } from "./signal/contract-runner.ts"
