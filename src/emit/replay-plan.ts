import { setImmediate as othersTurn } from "node:timers/promises"
import type { Database } from "../store/database.ts"
import { countVerdicts, type Verdict } from "../store/replay-deliveries.ts"
import { BEGINNING, selectReplayPage } from "../store/replay-signals.ts"
import type { ReplayOrder } from "../store/replays.ts"
import type { OrderPlace } from "../store/signal-order.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { tenantDatabase } from "../store/within-tenant.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { FanOutRoutes } from "./fan-out.ts"
import { type ReplayTargets, targetFinder } from "./replay-targets.ts"

/** What a replay would do for one handler, in deliveries. */
export interface ReplayPlanHandler {
  readonly handler: string
  readonly run: number
  readonly skipped: {
    /** Its last attempt succeeded, and `force` was not asked for. */
    readonly succeeded: number
    /** It is in the queue already. */
    readonly open: number
    /** The handler does not let a replay run it. */
    readonly notReplayable: number
  }
}

/** What a replay would do. */
export interface ReplayPlan {
  /** Signals that match. */
  readonly signals: number
  /** By the handlers' names. */
  readonly handlers: readonly ReplayPlanHandler[]
  /** False when the time ran out before every signal was looked at; the counts are then of those that were. */
  readonly isComplete: boolean
}

/** How a plan is made. */
export interface ReplayPlanOptions {
  /** How long it may take, milliseconds. Default 60,000. */
  readonly timeoutMs?: number
  /** Told after each page how many signals were looked at. */
  readonly onProgress?: (progress: { readonly signals: number }) => void
}

/** What a plan is made with. */
export interface ReplayPlanDeps {
  readonly database: Pick<Database, "transaction" | "of">
  readonly routes: Pick<FanOutRoutes, "route">
  readonly telemetry: Telemetry
}

const PAGE_SIGNALS = 200
const DEFAULT_TIMEOUT_MS = 60_000

type Counts = Record<Verdict | "notReplayable", number>

/**
 * Walks the signals as the replay would, a page at a time, and counts; changes nothing. The embedded database
 * works in this process, so between two pages others have their turn.
 */
export async function planReplay(
  scope: TenantScope,
  order: ReplayOrder,
  { timeoutMs = DEFAULT_TIMEOUT_MS, onProgress }: ReplayPlanOptions,
  { routes, telemetry, ...deps }: ReplayPlanDeps,
): Promise<ReplayPlan> {
  const database = tenantDatabase(deps.database, scope)
  const elapsed = stopwatch()
  const targetsOf = targetFinder(routes, order.handler, telemetry)
  const byHandler = new Map<string, Counts>()
  let signals = 0
  let after: OrderPlace | null = BEGINNING
  while (after && elapsed() < timeoutMs) {
    const page = await selectReplayPage(database, scope, order.selection, { after, limit: PAGE_SIGNALS })
    const targets = page.signals.map(({ signal }) => targetsOf(signal))
    await countPage(byHandler, targets, (candidates) => countVerdicts(database, scope, candidates, order.force))
    signals += page.signals.length
    after = page.next
    onProgress?.({ signals })
    await othersTurn()
  }
  return { signals, handlers: [...byHandler].map(planOf).toSorted(byName), isComplete: after === null }
}

async function countPage(
  byHandler: Map<string, Counts>,
  targets: readonly ReplayTargets[],
  judge: (candidates: ReplayTargets["candidates"]) => ReturnType<typeof countVerdicts>,
): Promise<void> {
  const candidates = targets.flatMap((each) => each.candidates)
  const verdicts = candidates.length === 0 ? [] : await judge(candidates)
  for (const { handler, verdict, count } of verdicts) add(byHandler, handler, verdict, count)
  for (const name of targets.flatMap((each) => each.notReplayable)) add(byHandler, name, "notReplayable", 1)
}

function add(byHandler: Map<string, Counts>, handler: string, verdict: keyof Counts, count: number): void {
  const counts = byHandler.get(handler) ?? { run: 0, open: 0, succeeded: 0, notReplayable: 0 }
  byHandler.set(handler, { ...counts, [verdict]: counts[verdict] + count })
}

function planOf([handler, { run, ...skipped }]: [string, Counts]): ReplayPlanHandler {
  return { handler, run, skipped }
}

function byName(a: ReplayPlanHandler, b: ReplayPlanHandler): number {
  return a.handler < b.handler ? -1 : 1
}
