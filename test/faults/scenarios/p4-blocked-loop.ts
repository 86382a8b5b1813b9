import { expectAttempts } from "../attempt-counts.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { defineScenario } from "../scenario.ts"
import { until } from "../wait.ts"

/** P4: while a worker has much in hand, one handler blocks its event loop before its first await. */
export const scenario = defineScenario({
  id: "P4",
  title: "a handler blocks the event loop for 3 leases",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const leaseMs = stage.sized(4_000, 12_000)
    const [running, waiting] = [stage.sized(20, 80), stage.sized(4, 40)]
    const database = await stage.postgres()
    const handlers = { set: "blocking", options: { blockMs: 3 * leaseMs } }
    const fleet = await stage.fleet({ database, handlers })
    for (const slug of ["many", "one"]) await fleet.tenants.provision(slug)
    // A fifth of the slots is kept for other tenants, so that what blocks begins at once.
    const worker = { leaseMs, concurrency: (running * 5) / 4 }
    const first = await stage.worker({
      database,
      handlers,
      fleet: { worker },
      hold: ["neighbour.work:begun"],
      events: ["delivery.lost"],
    })
    const { emitMany } = await stage.recorder(fleet)
    await emitMany(
      "many",
      Array.from({ length: running + waiting }, (_, n) => ({ type: "order.created", data: { n } })),
    )
    await first.reached("neighbour.work:begun", running)
    const patience = { withinMs: 20_000, what: `the first worker holds ${running + waiting} deliveries` }
    await until(async () => (await heldBy(database, first.workerName())) === running + waiting, patience)
    const second = await stage.worker({ database, handlers, fleet: { worker: { leaseMs } } })
    // Its own worker is handed the delivery with the commit, so that the second never sees it before the lease ends.
    const emitted = first.tell("emit", { tenant: "one", request: { type: "block.asked", data: {} } })
    await first.reached("loop.block:blocks")
    const blockedAt = performance.now()
    await second.reached("loop.block:effect", 1, 3 * leaseMs)
    const takeoverMs = Math.round(performance.now() - blockedAt)
    await emitted
    await first.tell("release", "neighbour.work:begun")
    await fleet.drain()
    await until(() => first.events.length > 0, { withinMs: 10_000, what: "the late result is told as lost" })
    const workers = { first, second }
    await expectAttempts(database, "many", workers, [`${running + waiting} × 1 done by first`])
    await expectAttempts(database, "one", workers, ["1 × 1 lost by first", "1 × 2 done by second"])
    const lost = first.events.map(({ fields }) => `${String(fields["handler"])} ${String(fields["attempt"])}`)
    if (lost.join() !== "loop.block 1")
      throw new Error(`expected the first worker to lose loop.block 1, got ${lost.join()}`)
    return { ...(await stage.check(scenario.invariants, { leaseMs })), neighbours: running + waiting, takeoverMs }
  },
})

async function heldBy({ query }: FaultPostgres, worker: string): Promise<number> {
  const rows = await query("select 1 from fleetprompt.deliveries where leased_by = $1", [worker])
  return rows.length
}
