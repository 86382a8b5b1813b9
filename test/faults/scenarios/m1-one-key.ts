import type { Fleet } from "../../../src/fleet.ts"
import { defineScenario } from "../scenario.ts"

/** M1: many callers say one fact under one key at the same time, from two processes and within transactions. */
export const scenario = defineScenario({
  id: "M1",
  title: "100 parallel emits with one key",
  invariants: ["I1", "I2", "I3", "I4"],
  run: async (stage) => {
    const database = await stage.postgres()
    const fleets = [await stage.fleet({ database }), await stage.fleet({ database })] as const
    await fleets[0].tenants.provision("acme")
    const recorders = [await stage.recorder(fleets[0]), await stage.recorder(fleets[1])] as const
    const rounds = stage.sized(10, 100)
    let insertions = 0
    for (let round = 0; round < rounds; round++) {
      const request = { type: "order.created", data: { round }, options: { dedupeKey: `round-${round}` } }
      const calls = Array.from({ length: 100 }, (_, n) => recorders[n % 2 === 0 ? 0 : 1].emit("acme", request))
      const results = await Promise.all(calls)
      insertions += results.filter(({ inserted }) => inserted).length
    }
    if (insertions !== rounds) throw new Error(`expected ${rounds} calls that stored something, got ${insertions}`)
    await usableTransaction(fleets[0])
    await stage.worker({ database })
    await fleets[0].drain()
    return stage.check(scenario.invariants)
  },
})

/** A caller's own transaction can go on after its emit met a twin. */
async function usableTransaction(fleet: Fleet): Promise<void> {
  const tenant = fleet.tenant("acme")
  await fleet.transaction(async (tx) => {
    const { inserted } = await tenant.emit("order.created", { round: 0 }, { dedupeKey: "round-0", tx })
    if (inserted) throw new Error("expected the fact to be there already")
    await tx.query("select 1 as still_usable")
  })
}
