/** The platform: tenants, signals, handlers, webhooks. */
export { githubWebhook, type GithubWebhookOptions } from "./connectors/github.ts"
export type { WebhookEvent, WebhookRequest, WebhookSource } from "./connectors/webhook-source.ts"
export {
  defineHandler,
  type Emitted,
  type Handler,
  type HandlerContext,
  type HandlerDefinition,
  type HandlerEmitOptions,
} from "./delivery/handler.ts"
export type { WorkerSettings } from "./delivery/worker.ts"
export type { EmitOptions, EmitResult } from "./emit/emit.ts"
export { type ErrorCode, FleetPromptError, isFleetPromptError } from "./errors.ts"
export { type CommitListener, createFleet, type Fleet, type FleetOptions, type StopOptions } from "./fleet.ts"
export type { SignalAttributes } from "./guard/normalise.ts"
export type { AttemptView, EffectNode, SignalBrief, SignalDetail } from "./inspect/signal-detail.ts"
export type { DeliveryView, ListOptions, SignalPage, SignalView } from "./inspect/signal-list.ts"
export type { JsonObject, JsonValue } from "./signal/json.ts"
export type { Signal } from "./signal/signal.ts"
export type { SignalMetadata, StoredSignal, Visibility } from "./signal/stored-signal.ts"
export type { Queryable, Transaction } from "./store/database.ts"
export type { TenantCounts } from "./store/inspect.ts"
export type { JoinableTransaction } from "./store/joined-transaction.ts"
export type { TenantRecord } from "./store/tenants.ts"
export type { TelemetryEvents, TelemetryListener, TelemetryName } from "./telemetry/events.ts"
export type { Tenant, TenantSignals } from "./tenants/tenant.ts"
