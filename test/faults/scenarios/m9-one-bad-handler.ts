import type { FaultPostgres } from "../fault-postgres.ts"
import { defineScenario } from "../scenario.ts"

const HANDLERS = 1_000
const BAD = 500

/** What comes of one signal: handlers that are done, and those that are dead. */
const ODD = {
  // Where a condition throws, the worker asks again, and its error is a failed attempt.
  dead: ["odd.backoff", "odd.where"],
  // An option that throws gets its default.
  done: ["odd.delay", "odd.good", "odd.key", "odd.priority"],
}

/** M9: one signal has 1,000 handlers of which one always throws; of another one, handlers' own options throw. */
export const scenario = defineScenario({
  id: "M9",
  title: "one signal, 1,000 handlers, one bad",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const signals = stage.sized(1, 20)
    const database = await stage.postgres()
    const handlers = { set: "many", options: { count: HANDLERS, bad: BAD } }
    const fleet = await stage.fleet({ database, handlers })
    for (const slug of ["many", "odd"]) await fleet.tenants.provision(slug)
    await stage.worker({ database, handlers })
    const { emit } = await stage.recorder(fleet)
    const startedAt = performance.now()
    for (let n = 0; n < signals; n++) {
      await emit("many", { type: "many.asked", data: { n } })
      await emit("odd", { type: "odd.asked", data: { n } })
    }
    await fleet.drain()
    const drainedMs = Math.round(performance.now() - startedAt)
    const others = Array.from({ length: HANDLERS }, (_, n) => `many.${n}`).filter((_, n) => n !== BAD)
    await expectEnds(database, "many", { done: others, dead: [`many.${BAD}`] }, signals)
    await expectEnds(database, "odd", ODD, signals)
    return { ...(await stage.check(scenario.invariants)), done: signals * others.length, drainedMs }
  },
})

/** How the deliveries of a tenant ended, by handler. */
async function expectEnds(
  { query }: FaultPostgres,
  tenant: string,
  expected: Readonly<Record<"done" | "dead", readonly string[]>>,
  signals: number,
): Promise<void> {
  for (const [outcome, handlers] of Object.entries(expected)) {
    const rows = await query<{ handler: string; count: number }>(
      `select handler, count(*)::int as count from org_${tenant}.attempts where outcome = $1 group by handler`,
      [outcome],
    )
    const counts = new Map(rows.map(({ handler, count }) => [handler, count]))
    const wrong = handlers.find((handler) => counts.get(handler) !== signals)
    const more = rows.find(({ handler }) => !handlers.includes(handler))
    if (wrong !== undefined)
      throw new Error(`expected ${wrong} to be ${outcome} ${signals} times, got ${counts.get(wrong) ?? 0}`)
    if (more) throw new Error(`expected ${more.handler} not to be ${outcome}`)
  }
}
