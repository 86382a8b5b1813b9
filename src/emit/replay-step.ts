import type { Announcer } from "../store/announcer.ts"
import type { Database } from "../store/database.ts"
import type { Placements } from "../store/placements.ts"
import { insertReplayBatch, type ReplayBatchResult } from "../store/replay-deliveries.ts"
import { endOf, type ReplayPage, selectReplayPage } from "../store/replay-signals.ts"
import {
  completeReplay,
  type LeasedReplay,
  prolongReplay,
  type ReplayCounts,
  type ReplayHolder,
  type ReplayState,
} from "../store/replays.ts"
import type { OrderPlace } from "../store/signal-order.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { tenantDatabase } from "../store/within-tenant.ts"
import type { ReplayStatus } from "../telemetry/events.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { FanOutRoutes } from "./fan-out.ts"
import { type ReplayTargets, targetFinder } from "./replay-targets.ts"

/** What replays work with. */
export interface ReplayDeps {
  readonly database: Pick<Database, "query" | "transaction" | "of">
  readonly placements: Pick<Placements, "find">
  readonly routes: FanOutRoutes
  readonly announcer: Pick<Announcer, "changed" | "enqueued">
  readonly telemetry: Telemetry
}

/** What a step came to. moved: it got further; resting: too early, or no room in the queue; over: nothing is left for this process. */
export type ReplayStep =
  | { readonly kind: "moved"; readonly restMs: number }
  | { readonly kind: "resting"; readonly restMs: number | undefined }
  | { readonly kind: "over" }

/** Most signals of one step. */
const MAX_SIGNALS = 200
/** How often a replay that is slower than that makes a step, a second. */
const STEPS_PER_SECOND = 4

/** How many signals one step takes at most, for a steady pace. */
export function stepSignals(perSecond: number): number {
  return Math.min(MAX_SIGNALS, Math.ceil(perSecond / STEPS_PER_SECOND))
}

/** How long to rest after the deliveries of so many signals were made, milliseconds. */
export function restMs(signals: number, perSecond: number): number {
  return (signals * 1000) / perSecond
}

/**
 * Makes the deliveries of the next signals of a replay, and notes in the same commit how far it got: so
 * nothing is repeated whatever happens between two steps.
 *
 * @param rest how long the replay is to rest after its last step, milliseconds.
 */
export async function stepReplay(
  replay: LeasedReplay,
  holder: ReplayHolder,
  rest: number,
  deps: ReplayDeps,
): Promise<ReplayStep> {
  const { database, placements } = deps
  const state = await prolongReplay(database, replay, holder, rest)
  if (!state) return { kind: "over" }
  if (state.dueInMs > 0) return { kind: "resting", restMs: state.dueInMs }
  if (state.open >= replay.order.maxOpen) return { kind: "resting", restMs: undefined }
  const { scope } = await placements.find(replay.tenant)
  const { selection, perSecond } = replay.order
  const limit = stepSignals(perSecond)
  const page = await selectReplayPage(tenantDatabase(database, scope), scope, selection, { after: state.at, limit })
  if (page.signals.length > 0 || page.next) return makeDeliveries(replay, holder, scope, page, state, deps)
  return state.open > 0 ? { kind: "resting", restMs: undefined } : complete(replay, holder.worker, deps)
}

async function makeDeliveries(
  replay: LeasedReplay,
  { worker, leaseMs }: ReplayHolder,
  scope: TenantScope,
  page: ReplayPage,
  state: ReplayState,
  deps: ReplayDeps,
): Promise<ReplayStep> {
  const { order } = replay
  const targetsOf = targetFinder(deps.routes, order.handler, deps.telemetry)
  const taken = takeForRoom(page, { open: state.open, maxOpen: order.maxOpen }, targetsOf)
  if (!taken) return { kind: "resting", restMs: undefined }
  const batch = {
    replayId: replay.id,
    worker,
    leaseMs,
    force: order.force,
    candidates: taken.targets.flatMap(({ candidates }) => candidates),
    seen: taken.targets.length,
    skipped: taken.targets.flatMap(({ notReplayable }) => notReplayable).length,
    next: taken.next ?? endOf(order.selection.snapshot),
  }
  const result = await deps.telemetry.span(
    "replay",
    { tenant: replay.tenant, replayId: replay.id },
    () => insertReplayBatch(tenantDatabase(deps.database, scope), scope, batch),
    (made) => ({ deliveries: made?.made ?? 0 }),
  )
  if (!result) return { kind: "over" }
  tellMoved(replay, result, deps)
  return { kind: "moved", restMs: restMs(result.signals, order.perSecond) }
}

interface Room {
  readonly open: number
  readonly maxOpen: number
}

type TargetFinder = ReturnType<typeof targetFinder>

interface Taken {
  readonly targets: readonly ReplayTargets[]
  /** Where to go on, null behind the last signal. */
  readonly next: OrderPlace | null
}

/**
 * The first signals of a page whose deliveries fit into the room that is left. One that never would, since it has
 * more handlers than there may be deliveries, is taken when the queue is empty.
 */
function takeForRoom(page: ReplayPage, { open, maxOpen }: Room, targetsOf: TargetFinder): Taken | undefined {
  const targets: ReplayTargets[] = []
  let size = open
  for (const { signal } of page.signals) {
    const found = targetsOf(signal)
    if (size > 0 && size + found.candidates.length > maxOpen) {
      const last = page.signals[targets.length - 1]
      return last && { targets, next: last.place }
    }
    size += found.candidates.length
    targets.push(found)
  }
  return { targets, next: page.next }
}

function tellMoved(replay: LeasedReplay, result: ReplayBatchResult, { announcer, telemetry }: ReplayDeps): void {
  const { lanes } = result
  if (lanes.length > 0) announcer.enqueued(lanes.map((lane) => ({ ...lane, tenant: replay.tenant })))
  tellProgress(replay, "running", result, telemetry)
}

async function complete(
  replay: LeasedReplay,
  worker: string,
  { database, telemetry }: ReplayDeps,
): Promise<ReplayStep> {
  const counts = await completeReplay(database, replay.id, worker)
  if (!counts) return { kind: "resting", restMs: undefined }
  tellProgress(replay, "completed", counts, telemetry)
  return { kind: "over" }
}

/** Tells how far a replay got. */
export function tellProgress(
  { id, tenant }: Pick<LeasedReplay, "id" | "tenant">,
  status: ReplayStatus,
  { seen, enqueued }: ReplayCounts,
  telemetry: Pick<Telemetry, "tell">,
): void {
  telemetry.tell("replay.progress", { tenant, replayId: id, status, signals: seen, deliveries: enqueued })
}
