import { setImmediate as othersTurn, setTimeout as sleep } from "node:timers/promises"
import { appendAudit } from "../audit/append-audit.ts"
import type { FanOutRoutes } from "../emit/fan-out.ts"
import { planReplay, type ReplayPlan, type ReplayPlanDeps, type ReplayPlanOptions } from "../emit/replay-plan.ts"
import { tellProgress } from "../emit/replay-step.ts"
import { FleetPromptError } from "../errors.ts"
import { isUuid, newId } from "../signal/id.ts"
import type { JsonObject } from "../signal/json.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Database, Queryable, Transaction } from "../store/database.ts"
import type { Placements } from "../store/placements.ts"
import { removeReplayDeliveries } from "../store/replay-deliveries.ts"
import { BEGINNING, countReplaySignals, takeSnapshot } from "../store/replay-signals.ts"
import {
  insertReplay,
  type ReplayOrder,
  type ReplayRecord,
  selectReplay,
  selectReplays,
  updateReplayStatus,
} from "../store/replays.ts"
import type { OrderPlace } from "../store/signal-order.ts"
import { selectSignals } from "../store/signals.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { type TenantDatabase, tenantDatabase, withinTenant } from "../store/within-tenant.ts"
import { actEntry, type RequestedBy } from "./act-entry.ts"
import { checkRequest, type ReplayRequest } from "./replay-request.ts"
import { type Replay, type ReplayActor, toReplay } from "./replay-view.ts"

/** Running handlers on signals of a tenant again. What changes a replay is in the tenant's audit log in the same commit. */
export interface TenantReplays {
  /**
   * Says what a replay would do, for each handler, by walking the signals as it would. Changes nothing.
   *
   * @throws FleetPromptError `query_invalid`, `pattern_invalid`, `handler_unknown`, `not_found`
   * @example
   * const plan = await tenant.replays.plan({ filter: { pattern: "order.**" }, handler: "invoice.send" })
   */
  readonly plan: (request: ReplayRequest, options?: ReplayPlanOptions) => Promise<ReplayPlan>
  /**
   * Starts a replay of the signals that were committed until now, in the order of their commits. The fleet's
   * worker processes carry it out.
   *
   * @throws FleetPromptError `forbidden`, `query_invalid`, `pattern_invalid`, `handler_unknown`, `not_found`
   * @example
   * await tenant.replays.start({ filter: { pattern: "order.**" } }, { actor: { id: "user_1", role: "admin" } })
   */
  readonly start: (request: ReplayRequest, options: { readonly actor: ReplayActor }) => Promise<Replay>
  /** One replay, or undefined. */
  readonly get: (id: string) => Promise<Replay | undefined>
  /** The latest, newest first. Default limit 50, at most 500. */
  readonly list: (options?: { readonly limit?: number }) => Promise<readonly Replay[]>
  /**
   * Makes no more deliveries until `resume`; those in the queue are run.
   *
   * @throws FleetPromptError `not_found`, `replay_ended`
   */
  readonly pause: (id: string, request?: RequestedBy) => Promise<Replay>
  /** Goes on where it stopped, also after a failure. @throws FleetPromptError `not_found`, `replay_ended` */
  readonly resume: (id: string, request?: RequestedBy) => Promise<Replay>
  /**
   * Ends it and takes its deliveries out of the queue, except those that run at the moment.
   *
   * @throws FleetPromptError `not_found`, `replay_ended`
   */
  readonly cancel: (id: string, request?: RequestedBy) => Promise<Replay>
  /**
   * The replay as it is now and whenever it changed, until it has ended. Reads twice a second.
   *
   * @throws FleetPromptError `not_found`
   * @example
   * for await (const { seen, total } of tenant.replays.watch(replay.id)) console.log(`${seen} of ${total}`)
   */
  readonly watch: (id: string, options?: { readonly abort?: AbortSignal }) => AsyncIterableIterator<Replay>
}

/** What a tenant's replays need. */
export interface TenantReplaysDeps extends ReplayPlanDeps {
  readonly database: Database
  readonly placements: Pick<Placements, "find">
  readonly routes: Pick<FanOutRoutes, "route" | "has">
  readonly announcer: Pick<Announcer, "changed">
}

const ROLES: ReadonlySet<string> = new Set(["owner", "admin", "operator"])
const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
const WATCH_MS = 500

/** The replays of one tenant. */
export function openReplays(slug: string, deps: () => TenantReplaysDeps): TenantReplays {
  const scoped = async (): Promise<TenantDatabase> =>
    tenantDatabase(deps().database, (await deps().placements.find(slug)).scope)
  const change = async (id: string, to: Change, request: RequestedBy): Promise<Replay> => {
    const { scope } = await deps().placements.find(slug)
    const replay = await withinTenant(deps().database, scope, (tx) => transition(tx, scope, { id, to, request }))
    announceChange(replay, deps())
    return toReplay(replay)
  }
  return Object.freeze({
    plan: async (request: ReplayRequest, options: ReplayPlanOptions = {}) => {
      const { scope, order } = await prepare(slug, request, "", deps())
      return planReplay(scope, order, options, deps())
    },
    start: async (request: ReplayRequest, { actor }: { readonly actor: ReplayActor }) => {
      checkRole(actor)
      const { scope, order } = await prepare(slug, request, actor.role, deps())
      return toReplay(await start(scope, order, request, actor, deps()))
    },
    get: async (id: string) => {
      const replay = await find(await scoped(), slug, id)
      return replay && toReplay(replay)
    },
    list: async ({ limit = DEFAULT_LIMIT }: { readonly limit?: number } = {}) => {
      checkLimit(limit)
      const replays = await selectReplays(await scoped(), slug, limit)
      return replays.map(toReplay)
    },
    pause: (id: string, request: RequestedBy = {}) => change(id, "paused", request),
    resume: (id: string, request: RequestedBy = {}) => change(id, "running", request),
    cancel: (id: string, request: RequestedBy = {}) => change(id, "cancelled", request),
    watch: (id: string, { abort }: { readonly abort?: AbortSignal } = {}) => watch(slug, id, abort, scoped),
  })
}

async function prepare(slug: string, request: ReplayRequest, role: string, deps: TenantReplaysDeps) {
  const { scope } = await deps.placements.find(slug)
  const snapshot = await takeSnapshot(deps.database)
  const order = checkRequest(request, { snapshot, role, tenant: slug, routes: deps.routes })
  const { signalId } = order.selection
  const db = tenantDatabase(deps.database, scope)
  if (signalId !== null && (await selectSignals(db, scope, [signalId])).length === 0) {
    throw new FleetPromptError("not_found", `expected a signal of this tenant, there is none with the id ${signalId}`)
  }
  return { scope, order }
}

async function start(
  scope: TenantScope,
  order: ReplayOrder,
  { reason }: ReplayRequest,
  { kind = "host", ...actor }: ReplayActor,
  deps: TenantReplaysDeps,
): Promise<ReplayRecord> {
  const total = order.selection.signalId === null ? await countAll(scope, order, deps) : 1
  const made = { id: newId(), tenant: scope.slug, order, total, requestedBy: actor.id, reason: reason ?? null }
  const replay = await withinTenant(deps.database, scope, async (tx) => {
    const inserted = await insertReplay(tx, made)
    const request = { by: { kind, ...actor }, ...(reason !== undefined && { reason }) }
    await note(tx, scope, inserted, "start", request, askedOf(inserted))
    return inserted
  })
  announceChange(replay, deps)
  return replay
}

/** Adds the entry of an act to the tenant's audit log. */
async function note(
  tx: Transaction,
  scope: TenantScope,
  { id }: ReplayRecord,
  act: "start" | (typeof ACTS)[Change],
  request: RequestedBy,
  details: JsonObject = {},
): Promise<void> {
  await appendAudit(tx, scope, [actEntry(`replay.${act}`, `replay:${id}`, request, details)])
}

/** What was asked for. */
function askedOf({ order: { selection, pattern, handler, force }, total }: ReplayRecord): JsonObject {
  const { signalId, from, to, subject, correlationId, source } = selection
  const conditions = Object.entries({ signalId, pattern, from, to, subject, correlationId, source, handler })
  return { ...Object.fromEntries(conditions.filter(([, value]) => value !== null)), force, signals: total }
}

async function countAll(scope: TenantScope, { selection }: ReplayOrder, deps: TenantReplaysDeps): Promise<number> {
  const db = tenantDatabase(deps.database, scope)
  let total = 0
  let after: OrderPlace | null = BEGINNING
  while (after) {
    const counted = await countReplaySignals(db, scope, selection, after)
    total += counted.count
    after = counted.next
    await othersTurn()
  }
  return total
}

function announceChange(replay: ReplayRecord, { announcer, telemetry }: TenantReplaysDeps): void {
  announcer.changed({ replays: true })
  tellProgress(replay, replay.status, replay, telemetry)
}

function checkRole({ role }: ReplayActor): void {
  if (ROLES.has(role)) return
  throw new FleetPromptError("forbidden", `expected the role ${[...ROLES].join(", ")} for a replay, got another`)
}

function checkLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return
  throw new FleetPromptError("query_invalid", `expected a whole number from 1 to ${MAX_LIMIT} as limit`)
}

async function find(db: Queryable, slug: string, id: string): Promise<ReplayRecord | undefined> {
  return isUuid(id) ? selectReplay(db, slug, id) : undefined
}

type Change = "paused" | "running" | "cancelled"

/** The states that each change may come from; a replay that is there already stays as it is. */
const FROM = { paused: ["running"], running: ["paused", "failed"], cancelled: ["running", "paused", "failed"] } as const

const ACTS = { paused: "pause", running: "resume", cancelled: "cancel" } as const

/** A change of a replay that somebody asks for. */
interface AskedChange {
  readonly id: string
  readonly to: Change
  readonly request: RequestedBy
}

/** A cancellation takes the row first: it waits for a step under way, whose deliveries are then seen and removed. */
async function transition(
  tx: Transaction,
  scope: TenantScope,
  { id, to, request }: AskedChange,
): Promise<ReplayRecord> {
  const changed = isUuid(id) && (await updateReplayStatus(tx, { tenant: scope.slug, id, from: FROM[to], to }))
  if (changed) await note(tx, scope, changed, ACTS[to], request)
  const replay = changed || (await unchanged(tx, scope, id, to))
  if (to !== "cancelled") return replay
  await removeReplayDeliveries(tx, scope, id)
  // It is there: it was found.
  return (await selectReplay(tx, scope.slug, id)) as ReplayRecord
}

/** @throws FleetPromptError `not_found`, `replay_ended` */
async function unchanged(tx: Queryable, { slug }: TenantScope, id: string, to: Change): Promise<ReplayRecord> {
  const replay = isUuid(id) ? await selectReplay(tx, slug, id) : undefined
  if (replay?.status === to) return replay
  if (!replay) throw new FleetPromptError("not_found", "expected the id of a replay of this tenant, there is none")
  throw new FleetPromptError(
    "replay_ended",
    `expected a replay that is ${FROM[to].join(" or ")}, this one is ${replay.status}; start another`,
  )
}

async function* watch(
  slug: string,
  id: string,
  abort: AbortSignal | undefined,
  scoped: () => Promise<Queryable>,
): AsyncIterableIterator<Replay> {
  let last = ""
  for (;;) {
    const record = await find(await scoped(), slug, id)
    if (!record) throw new FleetPromptError("not_found", "expected the id of a replay of this tenant, there is none")
    const replay = toReplay(record)
    const seen = JSON.stringify(replay)
    if (seen !== last) yield replay
    if (record.finishedAt !== null) return
    last = seen
    await sleep(WATCH_MS, undefined, abort ? { signal: abort } : {}).catch(() => {})
    if (abort?.aborted) return
  }
}
