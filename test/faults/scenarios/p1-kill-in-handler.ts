import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** From the kill to the begin of the next attempt, at the product's defaults. */
const TAKEOVER_MS = 15_000

/** P1: a worker is killed inside of a handler; others take its deliveries over. */
export const scenario = defineScenario({
  id: "P1",
  title: "kill -9 a worker inside a handler",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  limitMs: 90_000,
  run: async (stage) => {
    const database = await stage.postgres()
    const fleet = await stage.fleet({ database })
    await fleet.tenants.provision("acme")
    const first = await stage.worker({ database, hold: ["ledger.write:begun", "ledger.write:effect"] })
    const { emit } = await stage.recorder(fleet)
    const count = stage.sized(20, 100)
    for (let n = 0; n < count; n++) await emit("acme", { type: "order.created", data: { n } })
    await first.reached("ledger.write:begun", count)
    const before = await heldBy(stage, first.workerName())
    first.kill("SIGKILL")
    const killedAt = Date.now()
    await first.exited
    await stage.worker({ database })
    await until(async () => (await fleet.tenant("acme").openDeliveries()) === 0, {
      withinMs: 40_000,
      what: "all deliveries are done",
    })
    const takeoverMs = (await lastBegin(stage)) - killedAt
    if (takeoverMs > TAKEOVER_MS) throw new Error(`taken over after ${takeoverMs} ms, expected ${TAKEOVER_MS} at most`)
    const second = await (await stage.ledger()).count("invocations", "attempt = 2 and outcome = 'returned'")
    if (second !== count) throw new Error(`expected ${count} second attempts that returned, got ${second}`)
    return { ...(await stage.check(scenario.invariants)), killedWith: before, takeoverMs }
  },
})

async function heldBy(stage: Stage, worker: string): Promise<number> {
  return (await stage.ledger()).count("invocations", `worker = '${worker}' and outcome is null`)
}

/** When the last invocation began, milliseconds of the epoch. */
async function lastBegin(stage: Stage): Promise<number> {
  const [row] = await (await stage.ledger()).query<{ at: Date }>("select max(begun_at) as at from invocations")
  return row?.at.getTime() ?? 0
}
