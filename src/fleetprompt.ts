/** The platform: tenants, signals, handlers, webhooks. */
export { githubWebhook, type GithubWebhookOptions } from "./connectors/github.ts"
export type { WebhookEvent, WebhookRequest, WebhookSource } from "./connectors/webhook-source.ts"
export { defineHandler } from "./delivery/handler.ts"
export type {
  Emitted,
  Handler,
  HandlerContext,
  HandlerDefinition,
  HandlerEmitOptions,
} from "./delivery/handler-definition.ts"
export type { WorkerSettings } from "./delivery/worker.ts"
export {
  type CatchUp,
  defineSchedule,
  type Schedule,
  type ScheduleDefinition,
  type ScheduledTenant,
} from "./delivery/schedule.ts"
export type { Schedules } from "./delivery/schedules-door.ts"
export { type Cancel, cancel, type HandlerResult, type Snooze, snooze } from "./delivery/outcome.ts"
export type { EmitQueueSettings } from "./emit/admission.ts"
export type { RetentionOptions } from "./emit/retention-handler.ts"
export type { EmitItem, EmitOptions, EmitResult } from "./emit/emit.ts"
export { type ErrorCode, FleetPromptError, isFleetPromptError } from "./errors.ts"
export { createFleet, type Fleet } from "./fleet.ts"
export type { Health, HealthCheck } from "./fleet/health.ts"
export type { CommitListener, FleetOptions, StopOptions } from "./fleet/options.ts"
export type { SignalAttributes } from "./guard/normalise.ts"
export type { AttemptView, EffectNode, SignalBrief, SignalDetail } from "./inspect/signal-detail.ts"
export type { DeliveryView, ListOptions, SignalPage, SignalView } from "./inspect/signal-list.ts"
export type { TailedSignal, TailOptions } from "./inspect/tail.ts"
export type { JsonObject, JsonValue } from "./signal/json.ts"
export type { Signal } from "./signal/signal.ts"
export type { SignalMetadata, StoredSignal, Visibility } from "./signal/stored-signal.ts"
export type { Queryable, Transaction } from "./store/database.ts"
export type { TenantCounts } from "./store/inspect.ts"
export type { JoinableTransaction } from "./store/joined-transaction.ts"
export type { ScheduleRecord } from "./store/schedules.ts"
export type { TenantClass, TenantRecord } from "./store/tenants.ts"
export {
  type AttemptOutcome,
  eventListener,
  type TelemetryEvent,
  type TelemetryEvents,
  type TelemetryListener,
  type TelemetryName,
} from "./telemetry/events.ts"
export type { FleetStats } from "./telemetry/fleet-stats.ts"
export { logTo, type LogLevel, type LogOptions } from "./telemetry/log-to.ts"
export type { SpanListener, SpanName, TelemetrySpan, TelemetrySpans } from "./telemetry/spans.ts"
export type {
  DeadLetterDetail,
  DeadLetterListOptions,
  DeadLetterPage,
  DiscardOptions,
  TenantDeadLetters,
} from "./tenants/dead-letters.ts"
export type { DeadLetterFilter } from "./tenants/dead-letter-filter.ts"
export type { FleetPauses, PauseOptions, TenantPauses } from "./tenants/pauses.ts"
export type { ProvisionOptions } from "./tenants/provision.ts"
export type { ReplayFilter, ReplayRequest } from "./tenants/replay-request.ts"
export type { Replay, ReplayActor } from "./tenants/replay-view.ts"
export type { TenantReplays } from "./tenants/replays.ts"
export type { Emit, Tenant, TenantSignals } from "./tenants/tenant.ts"
