import { setTimeout as wait } from "node:timers/promises"
import type { Fleet } from "../../../src/fleet.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { tenantsOf } from "../invariants/evidence.ts"
import { defineScenario, type Figures } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"
import { Crew } from "./crew.ts"
import { keepDetails } from "./details.ts"
import { type Scene, usualTimeouts } from "./faults.ts"
import { figuresOf } from "./figures.ts"
import { type IdleTime, idleInTransaction } from "./idle-transaction.ts"
import { Minutes } from "./minutes.ts"
import { soakOptions } from "./options.ts"
import { BURST, IDLE, SOAK_HANDLERS, TENANTS } from "./plan.ts"
import { Weather } from "./weather.ts"

const options = soakOptions()
const MINUTE_MS = 60_000
/** For the drain, the check and the figures. */
const AFTERWARDS_MS = 30 * MINUTE_MS
const DRAIN_MS = 10 * MINUTE_MS

/** SOAK: everything at once for an hour: all kinds of handlers, a fault every five seconds, then calm and the check. */
export const scenario = defineScenario({
  id: "SOAK",
  title: `${options.minutes} minutes of load with a fault every 5 s`,
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10"],
  alone: true,
  limitMs: options.minutes * MINUTE_MS + AFTERWARDS_MS,
  run: async (stage) => {
    stage.log(`seed ${options.seed}`)
    const forMs = options.minutes * MINUTE_MS
    const database = await stage.postgres()
    const fleet = await stage.fleet({ database, handlers: SOAK_HANDLERS, retention: false })
    await provision(fleet)
    const crew = new Crew(stage)
    await crew.open(database)
    const scene: Scene = { crew, database, restarts: [], log: (text) => stage.log(text) }
    const idleFrom = forMs * IDLE.from
    const idleMs = forMs * IDLE.share
    const noRestarts = [idleFrom - idleMs, idleFrom + idleMs] as const
    const weather = new Weather(scene, { seed: options.seed, forMs, noRestarts })
    const ledger = await stage.ledger()
    const tenants = await tenantsOf({ product: database })
    const minutes = new Minutes({ stage, fleet, ledger, database, tenants, crew, weather, minutes: options.minutes })
    minutes.begin()
    const idle = stayIdle(database, idleFrom, idleMs)
    const bursts = burstsDuring(crew, forMs)
    await weather.rage()
    await bursts
    stage.log("the faults are over")
    const drainMs = await settleDown(stage, scene)
    const violations = await minutes.end()
    const { kills, unasked, failedStarts } = crew
    const measured = await figuresOf({ ledger, database, tenants, kills, restarts: scene.restarts, idle: await idle })
    const { counts, missed } = weather.happened
    const { samples } = minutes
    const happened: Figures = { faults: sum(counts) - missed, faultsMissed: missed, failedStarts, drainMs }
    const figures = { ...options, signals: samples.at(-1)?.signals ?? 0, ...happened, ...measured }
    // Before the check, so that the figures are there also when something did not hold.
    await keepDetails({ figures, members: crew.members().map(({ name }) => name), samples, faults: counts })
    if (unasked.length > 0) throw new Error(`${unasked.length} processes ended unasked: ${unasked.join("; ")}`)
    if (measured["deadLettersUnasked"] !== 0)
      throw new Error(`${String(measured["deadLettersUnasked"])} deliveries were given up that faults alone had failed`)
    const checked = await stage.check(scenario.invariants)
    if (violations > 0) throw new Error(`${violations} violations were found on the way, and none at the end`)
    return { ...figures, ...checked }
  },
})

async function provision(fleet: Fleet): Promise<void> {
  for (const slug of TENANTS.own) await fleet.tenants.provision(slug)
  for (const slug of TENANTS.shared) await fleet.tenants.provision(slug, { placement: "shared" })
}

async function stayIdle(database: FaultPostgres, afterMs: number, forMs: number): Promise<IdleTime> {
  await wait(afterMs)
  return idleInTransaction(database.url, forMs)
}

async function burstsDuring(crew: Crew, forMs: number): Promise<void> {
  const startedAt = performance.now()
  while (performance.now() - startedAt < forMs) {
    // The one that bursts may be away.
    await crew.burst(BURST.forMs).catch(() => {})
    await wait(Math.min(BURST.everyMs - BURST.forMs, Math.max(0, forMs - (performance.now() - startedAt))))
  }
}

/** Ends all loads and lets the queue run empty. Returns how long that took, milliseconds. */
async function settleDown(stage: Stage, { crew, database }: Scene): Promise<number> {
  await usualTimeouts(database)
  for (const { proxy } of crew.members()) proxy.recover()
  const startedAt = performance.now()
  await crew.rest()
  const isEmpty = async (): Promise<boolean> => {
    const [row] = await database.query<{ open: string }>("select count(*) as open from fleetprompt.deliveries")
    return row?.open === "0"
  }
  await until(isEmpty, { withinMs: DRAIN_MS, what: "the queue runs empty", everyMs: 500 })
  stage.log("the queue is empty")
  return Math.round(performance.now() - startedAt)
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}
