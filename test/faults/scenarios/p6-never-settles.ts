import { expectAttempts } from "../attempt-counts.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { defineScenario } from "../scenario.ts"
import { until } from "../wait.ts"

/** P6: more handlers hang than the worker has slots, and do not heed their abort; some end long after their timeout. */
export const scenario = defineScenario({
  id: "P6",
  title: "a handler never settles and ignores its abort",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const [timeoutMs, concurrency] = [stage.sized(1_500, 5_000), stage.sized(4, 16)]
    const [hanging, orders] = [stage.sized(12, 100), stage.sized(40, 5_000)]
    const database = await stage.postgres()
    const handlers = { set: "hanging", options: { timeoutMs, lateMs: 3 * timeoutMs } }
    const fleet = await stage.fleet({ database, handlers })
    const slugs = ["hangs", "late", "works"] as const
    for (const slug of slugs) await fleet.tenants.provision(slug)
    const { emitMany } = await stage.recorder(fleet)
    const many = (type: string, count: number) =>
      Array.from({ length: count }, (_, n) => ({ type, data: { n, throws: n % 2 === 0 } }))
    await emitMany("hangs", many("hang.asked", hanging))
    await emitMany("late", many("late.asked", hanging))
    const events = ["delivery.settled", "delivery.lost", "handler.late"]
    const worker = await stage.worker({ database, handlers, events, fleet: { worker: { concurrency } } })
    for (let at = 0; at < orders; at += 1_000)
      await emitMany("works", many("order.created", Math.min(1_000, orders - at)))
    // Each of the two kinds comes twice at most, a slot at a time.
    await until(async () => (await fleet.tenant("works").openDeliveries()) === 0, {
      withinMs: 20_000 + 2 * timeoutMs * hanging,
      what: "the other tenant's work gets through",
    })
    await fleet.drain()
    const ledger = await stage.ledger()
    await until(async () => (await lateEnds(ledger)) === hanging, {
      withinMs: 10_000 + 3 * timeoutMs,
      what: `${hanging} handlers end late`,
    })
    const told = (): number => worker.events.filter(({ name }) => name === "handler.late").length
    await until(() => told() === hanging, { withinMs: 5_000, what: `${hanging} late results are counted` })
    await expectAttempts(database, "works", { worker }, [`${orders} × 1 done by worker`])
    await expectAttempts(database, "late", { worker }, [
      `${hanging} × 1 failed by worker`,
      `${hanging} × 2 done by worker`,
    ])
    await expectAttempts(database, "hangs", { worker }, [
      `${hanging} × 1 failed by worker`,
      `${hanging} × 2 dead by worker`,
    ])
    const timedOut = await fleet.tenant("hangs").deadLetters.count({ errorCode: "handler_timeout" })
    if (timedOut !== hanging) throw new Error(`expected ${hanging} dead letters with handler_timeout, got ${timedOut}`)
    // The slots are free again, though the handlers still hang.
    await emitMany("works", many("order.created", 8))
    await fleet.drain()
    const settled = worker.events.filter(({ name }) => name === "delivery.settled").length
    if (settled !== orders + 8 + 4 * hanging) throw new Error(`expected each attempt to be told once, got ${settled}`)
    return { ...(await stage.check(scenario.invariants)), hanging, lateEnds: hanging }
  },
})

/** Handlers that ended after they had been told to stop. */
function lateEnds(ledger: Ledger): Promise<number> {
  return ledger.count("invocations", "handler = 'hang.late' and attempt = 1 and outcome = 'stopped'")
}
