import { expectAttempts } from "../attempt-counts.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { WAITING_TYPES } from "../handlers/waiting.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"
import { forgetClocks, wrongClock } from "../wrong-clock.ts"

/** Longer than a timer of JavaScript can run: that fires at once. */
const WAIT_MS = 30 * 86_400_000
/** The product's own; it looks at the queue so often when nothing happens. */
const POLL_MS = 1_000

/**
 * T3: work is put off for 30 days, by its delay, by its own wish and after a failure. Nothing of it runs, whoever
 * comes and goes, until the database's clock has moved on by 30 days.
 */
export const scenario = defineScenario({
  id: "T3",
  title: "a delay of 30 days",
  invariants: ["I1", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const [count, quietMs] = [stage.sized(10, 200), stage.sized(2_500, 30_000)]
    forgetClocks(stage)
    const database = await stage.postgres()
    const handlers = { set: "waiting", options: { waitMs: WAIT_MS } }
    const fleet = await stage.fleet({ database, handlers })
    await fleet.tenants.provision("acme")
    const options = { database, handlers, fleet: { retention: false }, watchStatements: true }
    const first = await stage.worker(options)
    const { emit } = await stage.recorder(fleet)
    for (const type of WAITING_TYPES) {
      // From without it is announced; from within it is known at once.
      for (let n = 0; n < count / 2; n++) await emit("acme", { type, data: { n } })
      for (let n = 0; n < count / 2; n++) await first.tell("emit", { tenant: "acme", request: { type, data: { n } } })
    }
    const begun = [`${count} × 1 failed by first`, `${count} × 1 snoozed by first`]
    await until(() => expectAttempts(database, "acme", { first }, begun).then(() => true), {
      withinMs: 20_000,
      what: "the first attempts are booked",
    })
    await expectDueIn30Days(database, 3 * count)
    const polls = await expectQuiet(stage, first, quietMs)
    first.kill("SIGKILL")
    await first.exited
    const second = await stage.worker(options)
    await expectQuiet(stage, second, quietMs)
    await expectAttempts(database, "acme", { first }, begun)
    await database.stop()
    await database.start(undefined, await wrongClock("+30d"))
    await database.ready()
    const movedAt = performance.now()
    await until(async () => (await fleet.tenant("acme").openDeliveries()) === 0, {
      withinMs: 30_000,
      what: "what was put off is done",
    })
    const caughtUpMs = Math.round(performance.now() - movedAt)
    await expectAttempts(database, "acme", { first, second }, [
      `${2 * count} × 1 done by second`,
      ...begun,
      `${count} × 2 done by second`,
    ])
    return { ...(await stage.check(scenario.invariants)), putOff: 3 * count, polls, caughtUpMs }
  },
})

async function expectDueIn30Days({ query }: FaultPostgres, count: number): Promise<void> {
  const rows = await query<{ ms: number }>(
    "select (extract(epoch from run_at - now()) * 1000)::float8 as ms from fleetprompt.deliveries where leased_by is null",
  )
  const wrong = rows.find(({ ms }) => ms > WAIT_MS || ms < WAIT_MS - 60_000)
  if (rows.length !== count || wrong)
    throw new Error(`expected ${count} deliveries due in 30 days, got ${rows.length}, one of them in ${wrong?.ms} ms`)
}

/** Nothing runs, and the worker looks at the queue no oftener than it does without such work. Returns how often. */
async function expectQuiet(stage: Stage, worker: FleetProcess, quietMs: number): Promise<number> {
  const invocations = async (): Promise<number> => (await stage.ledger()).count("invocations")
  const polls = async (): Promise<number> =>
    (await worker.tell("statements")).filter((name) => name === "findLanes").length
  const [callsBefore, pollsBefore, since] = [await invocations(), await polls(), performance.now()]
  await until(() => performance.now() - since > quietMs, {
    withinMs: quietMs + 1_000,
    what: "a while in which nothing runs",
  })
  const [calls, looks] = [(await invocations()) - callsBefore, (await polls()) - pollsBefore]
  if (calls > 0) throw new Error(`expected nothing to run before its time, got ${calls} calls`)
  const most = (3 * (performance.now() - since)) / POLL_MS + 3
  if (looks > most) throw new Error(`expected at most ${most} looks at the queue in ${quietMs} ms, got ${looks}`)
  const warning = /.*Warning.*/.exec(worker.stderr())
  if (warning) throw new Error(`expected a worker that is quiet, got ${warning[0]}`)
  return looks
}
