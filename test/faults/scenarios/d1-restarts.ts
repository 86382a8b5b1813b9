import { setTimeout as passed } from "node:timers/promises"
import { emits, type Recovery, recovery, slowest } from "../recovery.ts"
import { defineScenario } from "../scenario.ts"

/** D1: Postgres crashes and is started again, over and over, at once or after a while, with work under way everywhere. */
export const scenario = defineScenario({
  id: "D1",
  title: "Postgres crashes and restarts again and again",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"],
  run: async (stage) => {
    const leaseMs = stage.sized(4_000, 12_000)
    const database = await stage.postgres()
    const fleet = await stage.fleet({ database })
    for (const slug of ["acme", "probe"]) await fleet.tenants.provision(slug)
    const options = { database, fleet: { worker: { leaseMs } } }
    const load = { tenants: ["acme"], perSecond: stage.sized(60, 100), keyed: 0.5, duplicates: 0.1 }
    const worker = await stage.worker(options)
    const emitter = await stage.emitter({ ...options, load })
    // These are handed over to the worker of their process with the commit.
    await worker.tell("startLoad", load)
    await stage.tail(fleet, { name: "tail", tenant: "acme" })
    const processes = [worker, emitter]
    const recoveries: Recovery[] = []
    const endAt = performance.now() + stage.sized(8_000, 600_000)
    // Three at least, however slow the machine is.
    while (performance.now() < endAt || recoveries.length < 3) {
      await passed(stage.sized(500, 5_000 + Math.random() * 5_000))
      await Promise.all(processes.map(emits))
      await database.stop("immediate")
      // Those who try to connect meanwhile have come to their longest pauses.
      if (recoveries.length % 3 === 2) await passed(3_000)
      await database.start()
      recoveries.push(await recovery(stage, { fleet, processes, tenant: "probe" }))
    }
    for (const each of processes) await each.tell("stopLoad")
    await fleet.drain()
    const figures = await stage.check(scenario.invariants, { leaseMs })
    return { ...figures, restarts: recoveries.length, ...slowest(recoveries) }
  },
})
