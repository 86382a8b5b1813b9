import { setTimeout as passed } from "node:timers/promises"
import type { Fleet } from "../../../src/fleet.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import type { RecordedEmit } from "../ledger/recorded-emit.ts"
import { recovery } from "../recovery.ts"
import { defineScenario } from "../scenario.ts"
import type { FaultProxy, Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** How soon all calls work again once the network does, milliseconds. */
const HEALED_MS = 10_000
/** A call that takes longer than this, or fails, is not healthy. */
const SICK_MS = 3_000
/** What any call may take while nothing gets through: an emit tries for 15 s, and its last try takes a while. */
const BOUND_MS = 30_000
/** From the loss of a worker to the end of its work, as after any other loss. */
const TAKEOVER_MS = 15_000

const handlers = { set: "limited" }
const PAGE = { limit: 1, visibilities: ["internal"] } as const

/** D4: lines swallow all that is sent, and neither side is told: for a moment, for long, or only the one that listens. */
export const scenario = defineScenario({
  id: "D4",
  title: "half-open connections (black hole)",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const database = await stage.postgres()
    const near = await stage.fleet({ database, handlers })
    for (const slug of ["acme", "probe", "short"]) await near.tenants.provision(slug)
    const [lasting, short] = await Promise.all([lastingHole(stage, database, near), shortHoles(stage, database)])
    await near.drain()
    return { ...(await stage.check(scenario.invariants)), ...lasting, ...short }
  },
})

/** A worker loses its network in the middle of a claim, under a lock; another one has only lost what it listens on. */
async function lastingHole(stage: Stage, database: FaultPostgres, near: Fleet) {
  const [proxy, ears] = [await stage.proxy(database), await stage.proxy(database)]
  const farWorker = await stage.worker({ database: proxy, handlers })
  const far = await stage.fleet({ database: proxy, handlers })
  const [{ emitMany }, farCalls] = [await stage.recorder(near), await stage.recorder(far)]
  await farCalls.emit("acme", { type: "order.created", data: { first: true } })
  await near.drain()
  proxy.swallowAfter("/* lockFlow */")
  const limited = Array.from({ length: 20 }, (_, n) => ({ type: "limited.asked", data: { n } }))
  await emitMany("acme", limited)
  await until(() => proxy.isSwallowing(), { withinMs: 10_000, what: "the worker claims and loses its network" })
  const lostAt = performance.now()
  const bounded = callAll(far, farCalls)
  const nearWorker = await stage.worker({ database, handlers, fleet: { listenUrl: ears.url } })
  const deafMs = await workDeaf(stage, near, ears)
  await until(async () => (await near.tenant("acme").openDeliveries()) === 0, {
    withinMs: 60_000,
    what: "the other worker has done all",
  })
  const takeoverMs = Math.round(performance.now() - lostAt)
  if (takeoverMs > TAKEOVER_MS) throw new Error(`taken over after ${takeoverMs} ms, expected ${TAKEOVER_MS} at most`)
  const slowestCallMs = await bounded
  await until(() => ears.connections() === 0, { withinMs: 15_000, what: "the silent line is noticed by its heartbeat" })
  for (const each of [proxy, ears]) each.recover()
  const { healthyMs } = await recovery(
    stage,
    { fleet: far, processes: [farWorker, nearWorker], tenant: "probe" },
    HEALED_MS,
  )
  await until(() => ears.connections() === 1, { withinMs: HEALED_MS, what: "the worker listens again" })
  return { takeoverMs, deafMs, slowestCallMs, healthyMs }
}

/** Every kind of call, into a network that answers nothing. Answers how long the slowest took, milliseconds. */
async function callAll(fleet: Fleet, { emit, emitMany }: RecordedEmit): Promise<number> {
  const tenant = fleet.tenant("acme")
  const keyed = (n: number) => ({ type: "order.created", data: { n }, options: { dedupeKey: `hole-${n}` } })
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    emit: () => emit("acme", { type: "order.created", data: {} }),
    emitMany: () => emitMany("acme", [keyed(1), keyed(2)]),
    list: () => tenant.signals.list(PAGE),
    transaction: () => fleet.transaction((tx) => tx.query("select 1")),
    stats: () => fleet.stats(),
    health: () => fleet.health(),
  }
  // More than there are connections, so that some find none to be had.
  const all = Array.from({ length: 4 }, () => Object.entries(calls)).flat()
  const took = await Promise.all(
    all.map(async ([name, call]) => {
      const ms = await msOf(call)
      const mostMs = name === "health" ? SICK_MS : BOUND_MS
      if (ms > mostMs) throw new Error(`${name} took ${ms} ms in a black hole, expected ${mostMs} at most`)
      return ms
    }),
  )
  return Math.max(...took)
}

async function msOf(call: () => Promise<unknown>): Promise<number> {
  const begunAt = performance.now()
  await call().catch(() => {})
  return Math.round(performance.now() - begunAt)
}

/** The worker's notifications are swallowed: what is emitted elsewhere it finds by its poll. Answers the longest that took. */
async function workDeaf(stage: Stage, fleet: Fleet, ears: FaultProxy): Promise<number> {
  ears.swallow()
  const [{ emit }, ledger] = [await stage.recorder(fleet), await stage.ledger()]
  const took: number[] = []
  for (let n = 0; n < 3; n++) {
    const begunAt = performance.now()
    const { signal } = await emit("probe", { type: "order.created", data: { deaf: n } })
    await until(async () => (await ledger.count("effects", `signal_id = '${signal.id}'`)) > 0, {
      withinMs: 10_000,
      what: "a worker that hears nothing finds its work",
    })
    took.push(Math.round(performance.now() - begunAt))
  }
  return Math.max(...took)
}

/** A call that failed or took too long: when it began, milliseconds from the end of the hole, and what it was. */
interface Sick {
  readonly begunMs: number
  readonly what: string
}

const NEVER_SICK: Sick = { begunMs: 0, what: "" }

/** The network forgets all connections, and takes new ones at once. */
async function shortHoles(stage: Stage, database: FaultPostgres) {
  const proxy = await stage.proxy(database)
  const fleet = await stage.fleet({ database: proxy, handlers })
  const recorded = await stage.recorder(fleet)
  let last = NEVER_SICK
  for (let round = 0; round < stage.sized(1, 10); round++) {
    await openConnections(fleet, recorded)
    proxy.swallow()
    await passed(stage.sized(0, round * 1_500))
    proxy.recover()
    const sick = await lastSick(fleet, recorded)
    if (sick.begunMs > last.begunMs) last = sick
  }
  if (last.begunMs > HEALED_MS) throw new Error(`expected all calls to work after ${HEALED_MS} ms, got ${last.what}`)
  return { healedMs: last.begunMs }
}

/** Has every connection that a fleet may have opened. */
async function openConnections(fleet: Fleet, { emit }: RecordedEmit): Promise<void> {
  const reads = Array.from({ length: 50 }, () => fleet.tenant("short").signals.list(PAGE))
  const emits = Array.from({ length: 50 }, (_, n) => emit("short", { type: "order.created", data: { n } }))
  await Promise.all([...reads, ...emits])
}

/** Calls again and again. Answers the last to begin of those that failed or took too long. */
async function lastSick(fleet: Fleet, { emit }: RecordedEmit): Promise<Sick> {
  const startedAt = performance.now()
  let last = NEVER_SICK
  const calls: Promise<void>[] = []
  const probe = async (call: () => Promise<unknown>): Promise<void> => {
    const begunMs = Math.round(performance.now() - startedAt)
    const error = await call().then(() => "", String)
    const tookMs = Math.round(performance.now() - startedAt) - begunMs
    if ((error === "" && tookMs <= SICK_MS) || begunMs < last.begunMs) return
    last = { begunMs, what: `one after ${begunMs} ms that took ${tookMs} ms: ${call.toString()} ${error}` }
  }
  for (let now = 0; now < HEALED_MS + SICK_MS; now = performance.now() - startedAt) {
    calls.push(
      probe(() => emit("short", { type: "order.created", data: { now } })),
      probe(() => fleet.tenant("short").signals.list(PAGE)),
      probe(() => fleet.transaction((tx) => tx.query("select 1"))),
    )
    await passed(500)
  }
  await Promise.all(calls)
  return last
}
