import { expectAttempts } from "../attempt-counts.ts"
import { defineScenario } from "../scenario.ts"
import { until } from "../wait.ts"

/** P3: a worker stands still for three leases with deliveries in hand, before and after their effects, and goes on. */
export const scenario = defineScenario({
  id: "P3",
  title: "SIGSTOP for 3 leases, then SIGCONT",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const leaseMs = stage.sized(4_000, 12_000)
    const count = stage.sized(10, 60)
    const database = await stage.postgres()
    const fleet = await stage.fleet({ database })
    await fleet.tenants.provision("acme")
    const { emitMany } = await stage.recorder(fleet)
    const orders = Array.from({ length: count }, (_, n) => ({ type: "order.created", data: { n } }))
    const options = {
      database,
      fleet: { worker: { leaseMs, concurrency: 4 * count } },
      events: ["delivery.settled", "delivery.lost"],
    }
    const late = await stage.worker({ ...options, hold: ["ledger.write:effect"] })
    await emitMany("acme", orders)
    await late.reached("ledger.write:effect", count)
    await late.tell("hold", "ledger.write:begun")
    await emitMany("acme", orders)
    await late.reached("ledger.write:begun", 2 * count)
    late.kill("SIGSTOP")
    const stoppedAt = performance.now()
    // The other one is at work on all of it when the late one comes back.
    const other = await stage.worker({ ...options, hold: ["ledger.write:effect"] })
    await other.reached("ledger.write:effect", 2 * count, 3 * leaseMs)
    const takeoverMs = Math.round(performance.now() - stoppedAt)
    const open = await database.query("select 1 from pg_stat_activity where state like 'idle in transaction%'")
    if (open.length > 0) throw new Error("the worker that stands still holds a transaction open")
    await until(() => performance.now() - stoppedAt > 3 * leaseMs, { withinMs: 3 * leaseMs + 1_000, what: "3 leases" })
    late.kill("SIGCONT")
    for (const point of ["ledger.write:begun", "ledger.write:effect"]) await late.tell("release", point)
    await until(() => countOf(late.events, "delivery.lost") === 2 * count, {
      withinMs: 10_000,
      what: `${2 * count} late results are told as lost`,
    })
    await other.tell("release", "ledger.write:effect")
    await fleet.drain()
    await until(() => countOf(other.events, "delivery.settled") >= 4 * count, {
      withinMs: 5_000,
      what: "all ends are told",
    })
    const told = [countOf(late.events, "delivery.settled"), countOf(other.events, "delivery.settled")]
    // Of each delivery one end: it was lost, then done, both told by the worker that took it over.
    if (told.join() !== `0,${4 * count}`)
      throw new Error(`expected 0 and ${4 * count} to be told as settled, got ${told.join()}`)
    const ends = [`${2 * count} × 1 lost by late`, `${2 * count} × 2 done by other`]
    await expectAttempts(database, "acme", { late, other }, ends)
    await other.stop()
    await emitMany("acme", orders)
    await fleet.drain()
    await expectAttempts(database, "acme", { late, other }, [`${count} × 1 done by late`, ...ends])
    return { ...(await stage.check(scenario.invariants, { leaseMs })), stopped: 2 * count, takeoverMs }
  },
})

function countOf(events: readonly { readonly name: string }[], name: string): number {
  return events.filter((event) => event.name === name).length
}
