import type { SignalMetadata, StoredSignal, Visibility } from "../signal/stored-signal.ts"
import type { Queryable } from "../store/database.ts"
import { type AttemptRecord, selectAncestors, selectAttempts, selectEffects } from "../store/inspect.ts"
import { selectSignals } from "../store/signals.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { type DeliveryView, readDeliveries } from "./signal-list.ts"

/** One try of a delivery, for a reader. */
export type AttemptView = Omit<AttemptRecord, "signalId" | "handler">

/** A signal as a member of a causal chain. */
export interface SignalBrief {
  readonly id: string
  readonly type: string
  readonly subject: string | null
  readonly time: string
  /** The handler that emitted it, or null when it came from outside. */
  readonly handler: string | null
}

/** A signal with all that it caused. */
export interface EffectNode extends SignalBrief {
  readonly effects: readonly EffectNode[]
}

/** Everything there is to know of one signal. */
export interface SignalDetail {
  /** The CloudEvent. */
  readonly signal: Readonly<Record<string, unknown>>
  readonly metadata: SignalMetadata
  readonly visibility: Visibility
  readonly dedupeKey: string | null
  readonly sourceEventId: string | null
  readonly deliveries: readonly (DeliveryView & { readonly history: readonly AttemptView[] })[]
  /** What led to it, the first cause first. */
  readonly ancestors: readonly SignalBrief[]
  readonly effects: readonly EffectNode[]
}

/** One signal with its deliveries, causes and effects; undefined when the tenant has none with this id that the reader may see. */
export async function readSignal(
  db: Queryable,
  scope: TenantScope,
  id: string,
  visibilities: readonly Visibility[],
): Promise<SignalDetail | undefined> {
  const mayBeSeen = ({ visibility }: StoredSignal): boolean => visibilities.includes(visibility)
  const stored = (await selectSignals(db, scope, [id])).find(mayBeSeen)
  if (!stored) return undefined
  const { tenant, metadata, visibility, dedupeKey, sourceEventId, ...signal } = stored
  const ancestors = (await selectAncestors(db, scope, id)).filter(mayBeSeen)
  const effects = (await selectEffects(db, scope, id)).filter(mayBeSeen)
  return {
    signal,
    metadata,
    visibility,
    dedupeKey,
    sourceEventId,
    deliveries: await withHistory(db, scope, id),
    ancestors: ancestors.map(brief),
    effects: tree(id, effects),
  }
}

async function withHistory(db: Queryable, scope: TenantScope, id: string): Promise<SignalDetail["deliveries"]> {
  const deliveries = (await readDeliveries(db, scope, [id])).get(id) ?? []
  const attempts = await selectAttempts(db, scope, [id])
  return deliveries.map((delivery) => ({
    ...delivery,
    history: attempts
      .filter(({ handler }) => handler === delivery.handler)
      .map(({ signalId: _, handler: __, ...attempt }) => attempt),
  }))
}

const EMITTED_BY = /^handler:(.+)$/

function brief({ id, type, subject, time, source }: StoredSignal): SignalBrief {
  return { id, type, subject: subject ?? null, time, handler: EMITTED_BY.exec(source)?.[1] ?? null }
}

/** Each signal comes after its cause, so going backwards every node's effects are complete before it is used. */
function tree(rootId: string, signals: readonly StoredSignal[]): readonly EffectNode[] {
  const byCause = new Map<string | null, EffectNode[]>()
  for (const signal of signals.toReversed()) {
    const node = { ...brief(signal), effects: byCause.get(signal.id) ?? [] }
    const siblings = byCause.get(signal.metadata.causation_id) ?? []
    byCause.set(signal.metadata.causation_id, [node, ...siblings])
  }
  return byCause.get(rootId) ?? []
}
