import { defineScenario } from "../scenario.ts"

/** D2: the line is cut when the server has the commit and the caller has no answer. */
export const scenario = defineScenario({
  id: "D2",
  title: "cut the socket after COMMIT was sent",
  invariants: ["I1", "I2", "I3", "I4"],
  run: async (stage) => {
    const database = await stage.postgres()
    const direct = await stage.fleet({ database })
    await direct.tenants.provision("acme")
    const proxy = await stage.proxy(database)
    const fleet = await stage.fleet({ database: proxy })
    const { emit } = await stage.recorder(fleet)
    const calls = stage.sized(20, 200)
    let cuts = 0
    for (let n = 0; n < calls; n++) {
      const nonce = `cut-${n}-${crypto.randomUUID()}`
      proxy.cutAfter(nonce)
      const before = proxy.cuts()
      const keyed = n % 2 === 0 && { options: { dedupeKey: `key-${n}` } }
      await emit("acme", { type: "order.created", data: { nonce }, ...keyed })
      cuts += proxy.cuts() - before
    }
    if (cuts < calls) throw new Error(`expected the line to be cut in each of ${calls} calls, got ${cuts} cuts`)
    await stage.worker({ database })
    await direct.drain()
    return { ...(await stage.check(scenario.invariants)), cuts }
  },
})
