import { startLoad } from "../load.ts"
import type { FleetProcessOptions } from "../processes/fleet-process.ts"
import type { DeathRule } from "../processes/points.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** After a claim and before the effect; after the effect and before the booking. */
const POINTS = ["step.first:begun", "step.second:effect", "step.limited:effect", "step.keyed:begun"]
/** What a worker needs when another was lost, or when nothing takes its results along. */
const AT_TIMES = ["completeDeliveries", "noteLostAttempts"]
/** Before it is sent, once it is written to its connection, and when it was answered, so between it and the next. */
const MOMENTS = ["before", "sent", "after"] as const
/** Processes that are about to die, at once. */
const AT_ONCE = 4
const DYING_MS = 45_000

/** P2: workers are killed at each of their statements and in their handlers, one after the other, under load. */
export const scenario = defineScenario({
  id: "P2",
  title: "kill -9 at each point: after claim, after effect, before settle, between any two writes",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  limitMs: { short: 180_000, long: 900_000 },
  run: async (stage) => {
    const database = await stage.postgres()
    const options = { database, handlers: { set: "steps" }, fleet: { retention: false } }
    const fleet = await stage.fleet(options)
    await fleet.tenants.provision("acme")
    const ledger = await stage.ledger()
    const load = startLoad(fleet, ledger, {
      tenants: ["acme"],
      perSecond: stage.sized(10, 40),
      subjects: 20,
      keyed: 0.2,
    })
    stage.cleanup("the load", load.stop)
    const statements = await statementsOf(stage, options)
    stage.log(`${statements.length} statements: ${statements.join(" ")}`)
    const rules = rulesFor([...new Set([...statements, ...AT_TIMES])], stage.sized(1, MOMENTS.length))
    await dieAtEach(stage, options, rules)
    const last = await stage.worker(options)
    await load.stop()
    await until(async () => (await fleet.tenant("acme").openDeliveries()) === 0, {
      withinMs: 60_000,
      what: "everything is done",
    })
    const { dead } = await fleet.tenant("acme").counts()
    if (dead > 0) throw new Error(`${dead} deliveries are dead`)
    const figures = await stage.check(scenario.invariants)
    await last.stop()
    return { ...figures, statements: statements.length, kills: rules.length }
  },
})

/** So many of the moments of each statement; with one, the later two in turn, since nothing has changed before. */
function rulesFor(statements: readonly string[], moments: number): readonly DeathRule[] {
  const atStatements = statements.flatMap((statement, n) =>
    (moments === 1 ? MOMENTS.slice(1 + (n % 2), 2 + (n % 2)) : MOMENTS).map((when) => ({ statement, when })),
  )
  return [...POINTS.map((point) => ({ point })), ...atStatements]
}

/** The names of all statements that a worker needs once it runs. */
async function statementsOf(stage: Stage, options: FleetProcessOptions): Promise<readonly string[]> {
  const worker = await stage.worker({ ...options, watchStatements: true })
  const before = (await worker.tell("statements")).length
  await worker.reached("step.second:effect", 10)
  await worker.reached("step.keyed:effect", 10)
  const names = (await worker.tell("statements")).slice(before)
  await worker.stop()
  return [...new Set(names)].filter((name) => name !== "other").toSorted()
}

/** Starts a process for each rule and waits for its death, a few at once. */
async function dieAtEach(stage: Stage, options: FleetProcessOptions, rules: readonly DeathRule[]): Promise<void> {
  const left = [...rules]
  const oneAfterTheOther = async (): Promise<void> => {
    for (let rule = left.shift(); rule; rule = left.shift()) {
      const { process } = await stage.spawn({ ...options, dieAt: [rule] })
      await until(() => !process.isRunning(), { withinMs: DYING_MS, what: `a process dies at ${JSON.stringify(rule)}` })
      const { code, signal } = await process.exited
      if (signal !== "SIGKILL")
        throw new Error(`expected a process to be killed, it ended with ${code}: ${process.stderr()}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, oneAfterTheOther))
}
