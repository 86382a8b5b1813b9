import { expectAttempts } from "../attempt-counts.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { WAITING_TYPES } from "../handlers/waiting.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"
import { forgetClocks, wrongClock } from "../wrong-clock.ts"

const HOUR_MS = 3_600_000
/** How far a clock may be from where it was set, milliseconds: the time between an emit and its commit. */
const TOLERANCE_MS = 60_000

/** T1: three workers hold deliveries, one with its clock an hour ahead, one an hour behind; then these two are killed. */
export const scenario = defineScenario({
  id: "T1",
  title: "a worker's clock +1 h / -1 h",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const [leaseMs, count, waitMs] = [stage.sized(3_000, 12_000), stage.sized(5, 20), stage.sized(1_500, 10_000)]
    forgetClocks(stage)
    const database = await stage.postgres()
    const handlers = { set: "waiting", options: { waitMs } }
    const fleet = await stage.fleet({ database, handlers })
    for (const slug of ["held", "put_off"]) await fleet.tenants.provision(slug)
    const worker = async (env: Readonly<Record<string, string>>): Promise<FleetProcess> => {
      const events = ["delivery.lost"]
      const options = { database, handlers, env, events, fleet: { worker: { leaseMs } }, hold: ["ledger.write:begun"] }
      return stage.worker(options)
    }
    const [right, ahead, behind] = [
      await worker({}),
      await worker(await wrongClock("+1h")),
      await worker(await wrongClock("-1h")),
    ]
    const all = [right, ahead, behind]
    for (const each of all) await emitFrom(each, count)
    await expectClocks(database, [-HOUR_MS, 0, HOUR_MS])
    for (const each of all) await each.reached("ledger.write:begun", count)
    const heldAt = performance.now()
    await until(() => performance.now() - heldAt > 2.5 * leaseMs, {
      withinMs: 3 * leaseMs,
      what: "two and a half leases",
    })
    await expectAttempts(database, "held", {}, [])
    const slowestMs = await expectWaits(stage, database, waitMs)
    for (const each of [ahead, behind]) each.kill("SIGKILL")
    const killedAt = performance.now()
    await right.reached("ledger.write:begun", 3 * count, leaseMs + 20_000)
    const takeoverMs = Math.round(performance.now() - killedAt)
    await right.tell("release", "ledger.write:begun")
    await fleet.drain()
    const lost = [`${count} × 1 lost by ahead`, `${count} × 1 lost by behind`]
    if (ahead.workerName() > behind.workerName()) lost.reverse()
    await expectAttempts(database, "held", { right, ahead, behind }, [
      `${count} × 1 done by right`,
      ...lost,
      `${2 * count} × 2 done by right`,
    ])
    const told = all.flatMap(({ events }) => events)
    if (told.length > 0) throw new Error(`expected no worker to lose what it holds, got ${told.length} that were lost`)
    return { ...(await stage.check(scenario.invariants, { leaseMs })), held: 3 * count, takeoverMs, slowestMs }
  },
})

/** From within a worker, which is handed its own deliveries at once. */
async function emitFrom(worker: FleetProcess, count: number): Promise<void> {
  const orders = Array.from({ length: count }, (_, n) => ({ type: "order.created", data: { n } }))
  await Promise.all(orders.map((request) => worker.tell("emit", { tenant: "held", request })))
  const later = WAITING_TYPES.map((type) => ({ type, data: {} }))
  await Promise.all(later.map((request) => worker.tell("emit", { tenant: "put_off", request })))
}

/** Signals were made by clocks that are off by so much from the database's. */
async function expectClocks({ query }: FaultPostgres, expectedMs: readonly number[]): Promise<void> {
  const rows = await query<{ offMs: number }>(
    `select distinct round(extract(epoch from occurred_at - inserted_at) / 60)::int * 60000 as "offMs"
     from org_held.signals order by 1`,
  )
  const fits = rows.length === expectedMs.length
  if (fits && rows.every(({ offMs }, at) => Math.abs(offMs - (expectedMs[at] ?? 0)) <= TOLERANCE_MS)) return
  throw new Error(
    `expected clocks that are off by ${expectedMs.join(", ")} ms, got ${rows.map(({ offMs }) => offMs).join(", ")}`,
  )
}

/** What was put off was done, and not before its time. Returns the longest wait, milliseconds. */
async function expectWaits(stage: Stage, { query }: FaultPostgres, waitMs: number): Promise<number> {
  const open = "select 1 from fleetprompt.deliveries where tenant = 'put_off'"
  await until(async () => (await query(open)).length === 0, { withinMs: 30_000, what: "what was put off is done" })
  const signals = await query<{ id: string; at: Date }>("select id, inserted_at as at from org_put_off.signals")
  const ledger = await stage.ledger()
  const waits = signals.map(async ({ id, at }) => {
    const [row] = await ledger.query<{ ms: number }>(
      `select extract(epoch from max(begun_at) - greatest($2::timestamptz, min(ended_at) filter (where outcome <> 'returned'))) * 1000 as ms
       from invocations where signal_id = $1`,
      [id, at],
    )
    return Number(row?.ms)
  })
  const ms = await Promise.all(waits)
  const early = ms.find((each) => !(each >= waitMs))
  if (early !== undefined)
    throw new Error(`expected work that was put off for ${waitMs} ms, got some after ${early} ms`)
  return Math.round(Math.max(...ms))
}
