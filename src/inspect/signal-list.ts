import type { StoredSignal, Visibility } from "../signal/stored-signal.ts"
import type { Queryable } from "../store/database.ts"
import { type AttemptRecord, selectAttempts, selectDeliveries, selectRecentSignals } from "../store/inspect.ts"
import { selectSignals } from "../store/signals.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { typeExpression } from "./type-expression.ts"

/** Where a delivery stands, for a reader. */
export interface DeliveryView {
  readonly handler: string
  /** waiting: not tried yet; running; retrying: failed, to be tried again; done; cancelled; dead: given up. */
  readonly status: "waiting" | "running" | "retrying" | "done" | "cancelled" | "dead"
  readonly attempts: number
  /** With `retrying`: when the next attempt is due, RFC 3339. */
  readonly nextAttemptAt: string | null
  /** Message of the last attempt's error, when it failed. */
  readonly error: string | null
}

/** A signal in a list: without its data. */
export interface SignalView {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly time: string
  readonly correlationId: string
  readonly causationId: string | null
  /** Whether content was replaced by a marker before it was stored. */
  readonly redacted: boolean
  readonly deliveries: readonly DeliveryView[]
}

/** What a list shows. */
export interface ListOptions {
  /** How many, 1 to 500. */
  readonly limit: number
  /** Only signals older than this id: the `next` of the page before. */
  readonly before?: string
  /** Only types that fit this pattern. */
  readonly pattern?: string
  /** What the reader may see. */
  readonly visibilities: readonly Visibility[]
}

/** One page of a list, and where the next begins; null after the last. */
export interface SignalPage {
  readonly signals: readonly SignalView[]
  readonly next: string | null
}

/**
 * A tenant's signals, newest first, with their deliveries.
 *
 * @throws FleetPromptError `pattern_invalid`
 */
export async function listSignals(db: Queryable, scope: TenantScope, options: ListOptions): Promise<SignalPage> {
  const signals = await selectRecentSignals(db, scope, {
    limit: options.limit,
    before: options.before ?? null,
    typeExpression: options.pattern === undefined ? null : typeExpression(options.pattern),
    visibilities: options.visibilities,
  })
  const views = await viewSignals(db, scope, signals)
  return { signals: views, next: signals.length < options.limit ? null : (signals.at(-1)?.id ?? null) }
}

/** The signals with these ids that the reader may see, oldest first. */
export async function readSignals(
  db: Queryable,
  scope: TenantScope,
  ids: readonly string[],
  visibilities: readonly Visibility[],
): Promise<readonly SignalView[]> {
  const signals = await selectSignals(db, scope, ids)
  const visible = signals.filter(({ visibility }) => visibilities.includes(visibility))
  return viewSignals(
    db,
    scope,
    visible.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  )
}

async function viewSignals(
  db: Queryable,
  scope: TenantScope,
  signals: readonly StoredSignal[],
): Promise<readonly SignalView[]> {
  const deliveries = await readDeliveries(
    db,
    scope,
    signals.map(({ id }) => id),
  )
  return signals.map((signal) => ({
    id: signal.id,
    type: signal.type,
    source: signal.source,
    subject: signal.subject ?? null,
    time: signal.time,
    correlationId: signal.metadata.correlation_id,
    causationId: signal.metadata.causation_id,
    redacted: signal.metadata.redactions !== undefined,
    deliveries: deliveries.get(signal.id) ?? [],
  }))
}

/** The deliveries of signals, by signal. */
export async function readDeliveries(
  db: Queryable,
  scope: TenantScope,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly DeliveryView[]>> {
  const deliveries = await selectDeliveries(db, scope, ids)
  const attempts = deliveries.some(({ status }) => status !== "done" && status !== "waiting")
    ? await selectAttempts(db, scope, ids)
    : []
  const bySignal = new Map<string, DeliveryView[]>()
  for (const { signalId, ...delivery } of deliveries) {
    const error = delivery.status === "done" ? null : lastError(attempts, signalId, delivery.handler)
    bySignal.set(signalId, [...(bySignal.get(signalId) ?? []), { ...delivery, error }])
  }
  return bySignal
}

function lastError(attempts: readonly AttemptRecord[], signalId: string, handler: string): string | null {
  const message = attempts.findLast((attempt) => attempt.signalId === signalId && attempt.handler === handler)?.error?.[
    "message"
  ]
  return typeof message === "string" ? message : null
}
