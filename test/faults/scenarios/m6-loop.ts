import type { Fleet } from "../../../src/fleet.ts"
import { MAX_HOPS } from "../../../src/emit/emit-for-handler.ts"
import { defineScenario } from "../scenario.ts"
import { until } from "../wait.ts"

/** M6: handlers cause each other without end, and one causes itself, while another tenant does honest work. */
export const scenario = defineScenario({
  id: "M6",
  title: "handlers A > B > A",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const [roots, orders] = [stage.sized(3, 100), stage.sized(50, 5_000)]
    const database = await stage.postgres()
    const handlers = { set: "loop" }
    const fleet = await stage.fleet({ database, handlers })
    for (const slug of ["loops", "works"]) await fleet.tenants.provision(slug)
    await stage.worker({ database, handlers })
    const { emit, emitMany } = await stage.recorder(fleet)
    for (let n = 0; n < roots; n++) await emit("loops", { type: "a.asked", data: { n } })
    for (let n = 0; n < roots; n++) await emit("loops", { type: "self.asked", data: { n } })
    for (let at = 0; at < orders; at += 50)
      await emitMany(
        "works",
        Array.from({ length: 50 }, (_, n) => ({ type: "order.created", data: { n: at + n } })),
      )
    const startedAt = performance.now()
    await until(async () => (await fleet.tenant("works").openDeliveries()) === 0, {
      withinMs: stage.sized(30_000, 300_000),
      what: "the other tenant's work is done",
    })
    const othersMs = Math.round(performance.now() - startedAt)
    await fleet.drain()
    // The first of a chain has hop 0.
    const expected = 2 * roots * (MAX_HOPS + 1)
    const { signals } = await fleet.tenant("loops").counts()
    if (signals !== expected) throw new Error(`expected the loops to end after ${expected} signals, got ${signals}`)
    // MAX_HOPS is even, so a chain of two ends where it began.
    await expectReported(fleet, "loop.a", ["b.asked", "a.asked"], roots)
    await expectReported(fleet, "loop.self", ["self.asked", "self.asked"], roots)
    return { ...(await stage.check(scenario.invariants)), loops: 2 * roots, signals, othersMs }
  },
})

/** Each loop is one dead letter, whose error shows the path. */
async function expectReported(fleet: Fleet, handler: string, path: readonly string[], count: number): Promise<void> {
  const { letters } = await fleet.tenant("loops").deadLetters.list({ handler, limit: 500 })
  if (letters.length !== count) throw new Error(`expected ${count} dead letters of ${handler}, got ${letters.length}`)
  const shown = [...path, ...path, ...path].join(" > ")
  for (const { error } of letters) {
    const { code, message } = error ?? {}
    if (code === "hop_limit" && String(message).includes(shown)) continue
    throw new Error(`expected hop_limit with the path ${shown}, got ${String(code)}: ${String(message)}`)
  }
}
