import { randomUUID } from "node:crypto"
import type { Fleet } from "../../../src/fleet.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { startLoad } from "../load.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** From the emit of the other tenant's one signal, or from the start of the workers, until it was handled. */
const MOST_MS = 2_000
const SLOW_MS = 300
/** Pairs that have to be handled beside the flood at least, before it is over. */
const FEWEST_PAIRS = 3

/** D15: one tenant has flooded the queue, with quick work and with slow work that fills all slots; another has one of each. */
export const scenario = defineScenario({
  id: "D15",
  title: "tenant A queues a million, B one",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  alone: true,
  limitMs: { short: 120_000, long: 3_600_000 },
  run: async (stage) => {
    const [quick, slow] = [stage.sized(40_000, 1_000_000), stage.sized(6_000, 100_000)]
    const database = await stage.postgres()
    const handlers = { set: "quick-and-slow", options: { slowMs: SLOW_MS } }
    const fleet = await stage.fleet({ database, handlers })
    for (const slug of ["flood", "drop"]) await fleet.tenants.provision(slug)
    await queue(stage, fleet, "slow.asked", slow)
    await queue(stage, fleet, "order.created", quick)
    // Before anybody works, and behind everything.
    const first = await emitPair(stage, fleet)
    const workers = await Promise.all([1, 2].map(() => stage.worker({ database, handlers })))
    const atStartMs = await handledMs(stage, first, performance.now())
    const beside = await whileItLasts(stage, fleet, database)
    await Promise.all(workers.map((worker) => worker.stop()))
    return { ...(await stage.check(scenario.invariants)), atStartMs, ...beside }
  },
})

async function queue(stage: Stage, fleet: Fleet, type: string, count: number): Promise<void> {
  const load = { tenants: ["flood"], types: [type], count, batch: 1_000, callers: 2 }
  const { ok } = await startLoad(fleet, await stage.ledger(), load).done
  if (ok !== count) throw new Error(`expected ${count} signals to be queued, got ${ok}`)
}

/** One signal for each handler, of the tenant that has nothing else. Returns their ids. */
async function emitPair(stage: Stage, fleet: Fleet): Promise<readonly string[]> {
  const { emit } = await stage.recorder(fleet)
  const types = ["order.created", "slow.asked"]
  const results = await Promise.all(types.map((type) => emit("drop", { type, data: { nonce: randomUUID() } })))
  return results.map(({ signal }) => signal.id)
}

/** How long after `since` they were all handled, milliseconds. */
async function handledMs(stage: Stage, ids: readonly string[], since: number): Promise<number> {
  const ledger = await stage.ledger()
  const all = `signal_id in (${ids.map((id) => `'${id}'`).join()})`
  const areHandled = async (): Promise<boolean> => (await ledger.count("effects", all)) === ids.length
  await until(areHandled, { withinMs: 20_000, what: "the other tenant's signals are handled", everyMs: 10 })
  const ms = Math.round(performance.now() - since)
  if (ms > MOST_MS) throw new Error(`handled after ${ms} ms, expected ${MOST_MS} at most`)
  return ms
}

/** Emits for the other tenant, again and again, for as long as there is a flood beside it. */
async function whileItLasts(
  stage: Stage,
  fleet: Fleet,
  database: FaultPostgres,
): Promise<Readonly<Record<string, number>>> {
  let [pairs, slowestMs] = [0, 0]
  let left = await leftOfFlood(database)
  while (pairs < stage.sized(10, 100)) {
    const at = performance.now()
    const ms = await handledMs(stage, await emitPair(stage, fleet), at)
    const now = await leftOfFlood(database)
    if (now.quickLeft === 0 || now.slowLeft === 0) break
    left = now
    slowestMs = Math.max(slowestMs, ms)
    pairs += 1
  }
  if (pairs < FEWEST_PAIRS) throw new Error(`expected the flood to last for ${FEWEST_PAIRS} pairs, got ${pairs}`)
  return { pairs, slowestMs, ...left }
}

/** What still waits of the flood. */
async function leftOfFlood({ query }: FaultPostgres): Promise<{ quickLeft: number; slowLeft: number }> {
  const rows = await query<{ handler: string; count: string }>(
    "select handler, count(*) as count from fleetprompt.deliveries where tenant = 'flood' group by handler",
  )
  const countOf = (name: string): number => Number(rows.find(({ handler }) => handler === name)?.count ?? 0)
  return { quickLeft: countOf("quick.work"), slowLeft: countOf("slow.work") }
}
