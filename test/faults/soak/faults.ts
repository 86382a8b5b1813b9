import { setTimeout as wait } from "node:timers/promises"
import { DatabaseError } from "pg"
import type { FaultPostgres } from "../fault-postgres.ts"
import { wrongClock } from "../wrong-clock.ts"
import type { Chance } from "./chance.ts"
import type { Crew, Member } from "./crew.ts"
import { RESTART_EVERY_MS, TENANTS } from "./plan.ts"

/** What faults are done to. */
export interface Scene {
  readonly crew: Crew
  readonly database: FaultPostgres
  /** When Postgres went away, and when it answered again. */
  readonly restarts: { readonly at: Date; readonly readyAt: Date }[]
  /** A line for whoever looks on. */
  readonly log: (text: string) => void
}

/** Something bad that happens. */
export interface Fault {
  readonly name: string
  /** How often, beside the others. */
  readonly weight: number
  /** At most so often, milliseconds. */
  readonly everyMs?: number
  /** Resolves when it is over. @throws Error when nobody was free for it, or the database away */
  readonly happen: (scene: Scene, chance: Chance) => Promise<void>
}

/** The one that ends every session, so that it must not happen beside the idle transaction. */
export const RESTART = "restart Postgres (immediate)"

/** Two leases, milliseconds. */
const LONGEST_STOP_MS = 24_000
const LONGEST_BLOCK_MS = 15_000
const LONGEST_SILENCE_MS = 15_000
const ROLLING_EVERY_MS = 90_000

/** All that may happen. */
export const FAULTS: readonly Fault[] = [
  { name: "kill -9 a worker", weight: 4, happen: (scene, chance) => killWorker(scene, chance, async () => ({})) },
  {
    name: "kill -9 a worker, clock off by an hour",
    weight: 1,
    happen: (scene, chance) => killWorker(scene, chance, () => wrongClock(chance.pick(["+1h", "-1h"]))),
  },
  { name: "kill -9 an emitter", weight: 1, happen: killEmitter },
  { name: "SIGSTOP a worker", weight: 3, happen: stopWorker },
  { name: "block an event loop", weight: 2, happen: blockLoop },
  { name: "rolling restart", weight: 1, everyMs: ROLLING_EVERY_MS, happen: rollingRestart },
  { name: "cut all connections of a process", weight: 3, happen: cut },
  { name: "half-open connections of a process", weight: 2, happen: halfOpen },
  { name: "terminate 20 % of the backends", weight: 3, happen: terminateBackends },
  { name: "terminate the listeners", weight: 2, happen: terminateListeners },
  { name: "statement and lock timeouts", weight: 2, happen: shortTimeouts },
  { name: RESTART, weight: 2, everyMs: RESTART_EVERY_MS, happen: restartPostgres },
]

async function killWorker(
  { crew }: Scene,
  chance: Chance,
  env: () => Promise<Readonly<Record<string, string>>>,
): Promise<void> {
  const member = chance.pick(mortal(crew))
  await crew.take(member, async () => {
    await crew.kill(member)
    await crew.start(member, await env())
  })
}

function mortal(crew: Crew): readonly Member[] {
  return crew.free("worker").filter(({ isVeteran }) => !isVeteran)
}

async function killEmitter({ crew }: Scene, chance: Chance): Promise<void> {
  const member = chance.pick([...crew.free("emitter"), ...crew.free("burster")])
  await crew.take(member, async () => {
    await crew.kill(member)
    await crew.start(member)
  })
}

async function stopWorker({ crew }: Scene, chance: Chance): Promise<void> {
  const member = chance.pick(crew.free("worker"))
  await crew.take(member, async (process) => {
    process.kill("SIGSTOP")
    await wait(chance.between(2_000, LONGEST_STOP_MS))
    process.kill("SIGCONT")
  })
}

async function blockLoop({ crew }: Scene, chance: Chance): Promise<void> {
  const member = chance.pick(crew.free("worker"))
  const tenant = chance.pick([...TENANTS.own, ...TENANTS.shared])
  const ms = chance.between(1_000, LONGEST_BLOCK_MS)
  await crew.take(member, async (process) => {
    await process.tell("emit", { tenant, request: { type: "block.made", data: { ms, nonce: crypto.randomUUID() } } })
    await wait(ms)
  })
}

async function rollingRestart({ crew }: Scene): Promise<void> {
  for (const member of crew.members("worker")) {
    // The veteran, and whoever another fault has in its hands, is left out.
    if (!mortal(crew).includes(member)) continue
    await crew.take(member, async () => {
      await crew.terminate(member)
      await crew.start(member)
    })
  }
}

async function cut({ crew }: Scene, chance: Chance): Promise<void> {
  chance.pick(crew.free()).proxy.cut()
}

async function halfOpen({ crew }: Scene, chance: Chance): Promise<void> {
  const member = chance.pick(crew.free())
  await crew.take(member, async () => {
    member.proxy.swallow()
    await wait(chance.between(3_000, LONGEST_SILENCE_MS))
    member.proxy.recover()
  })
}

async function terminateBackends({ database }: Scene): Promise<void> {
  await database.terminateBackends(0.2)
}

/** By what a listener said last: that it listens, or its heartbeat. */
const LISTENERS = `select pg_terminate_backend(pid) from pg_stat_activity
  where (query ilike 'listen %' or query = 'select 1') and application_name = 'fleetprompt'`

async function terminateListeners({ database }: Scene): Promise<void> {
  const ended = await database.query(LISTENERS)
  if (ended.length === 0) throw new Error("nobody listened")
}

const TIMEOUTS = { statement_timeout: "60ms", lock_timeout: "30ms" } as const
/** How long the queue is locked, again and again: longer than either timeout, milliseconds. */
const LOCK_MS = 300
const LOCKS = 5

/**
 * Everybody's statements are cancelled while the queue is locked. Where a transaction stands idle that has read the queue,
 * the lock is not to be had, and those who wait behind it are cancelled just the same.
 */
async function shortTimeouts({ database }: Scene): Promise<void> {
  try {
    for (const [name, value] of Object.entries(TIMEOUTS)) await database.query(`alter system set ${name} = '${value}'`)
    await database.query("select pg_reload_conf()")
    for (let n = 0; n < LOCKS; n++) {
      await database
        .query(
          `set statement_timeout = 0; set lock_timeout = ${LOCK_MS}; begin; lock table fleetprompt.deliveries;
         select pg_sleep(${LOCK_MS / 1_000}); commit`,
        )
        .catch(ignoreLockTimeout)
      await wait(LOCK_MS)
    }
  } finally {
    await usualTimeouts(database)
  }
}

const LOCK_NOT_AVAILABLE = "55P03"

function ignoreLockTimeout(error: unknown): void {
  if (!(error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE)) throw error
}

/** Takes the timeouts of that fault back. */
export async function usualTimeouts({ query }: Pick<FaultPostgres, "query">): Promise<void> {
  for (const name of Object.keys(TIMEOUTS)) await query(`alter system reset ${name}`)
  await query("select pg_reload_conf()")
}

async function restartPostgres({ database, restarts }: Scene): Promise<void> {
  const at = new Date()
  await database.crashAndRestart()
  await database.ready()
  restarts.push({ at, readyAt: new Date() })
}
