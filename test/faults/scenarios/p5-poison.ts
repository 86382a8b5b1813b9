import type { Fleet } from "../../../src/fleet.ts"
import { expectAttempts } from "../attempt-counts.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { KILLERS, THROWERS } from "../handlers/poison.ts"
import type { EmitRequest, RecordedEmit } from "../ledger/recorded-emit.ts"
import type { FleetProcessOptions } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** Longest JSON of an error that is kept, characters: see the limits in docs/reference/settings.md. */
const MAX_ERROR = 8_000

/** P5: handlers throw what is hard to keep, or end their process in each attempt, among others that do their work. */
export const scenario = defineScenario({
  id: "P5",
  title: "poison: exits, out of memory, floating rejection, stack overflow, null, hostile and huge errors",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const database = await stage.postgres()
    const attempts = stage.sized(3, 5)
    const handlers = { set: "poison", options: { attempts } }
    const fleet = await stage.fleet({ database, handlers })
    for (const slug of ["throws", "kills"]) await fleet.tenants.provision(slug)
    const recorder = await stage.recorder(fleet)
    const neighbours = stage.sized(20, 100)
    await throwAll(stage, { database, handlers }, recorder, fleet, attempts, neighbours)
    const killing = await killAll(stage, { database, handlers }, recorder, fleet, attempts, neighbours)
    return { ...(await stage.check(scenario.invariants)), ...killing }
  },
})

function asked(type: string, count = 1): readonly EmitRequest[] {
  return Array.from({ length: count }, (_, n) => ({ type, data: { n } }))
}

/** One process lives through all of them; each is dead with an error that is no longer than it may be. */
async function throwAll(
  stage: Stage,
  options: FleetProcessOptions & { readonly database: FaultPostgres },
  { emitMany }: RecordedEmit,
  fleet: Fleet,
  attempts: number,
  neighbours: number,
): Promise<void> {
  const kinds = Object.keys(THROWERS)
  await emitMany("throws", [...kinds.flatMap((kind) => asked(`throw.${kind}`)), ...asked("quick.asked", neighbours)])
  const worker = await stage.worker(options)
  await fleet.drain()
  if (!worker.isRunning()) throw new Error("a handler that throws ended its process")
  await worker.stop()
  const failures = Array.from({ length: attempts - 1 }, (_, n) => `${kinds.length} × ${n + 1} failed by worker`)
  await expectAttempts(options.database, "throws", { worker }, [
    `${neighbours} × 1 done by worker`,
    ...failures,
    `${kinds.length} × ${attempts} dead by worker`,
  ])
  const [longest] = await options.database.query<{ characters: number }>(
    `select max(length(error::text)) as characters from (
       select error from org_throws.attempts union all select error from org_throws.dead_letters) as errors`,
  )
  if ((longest?.characters ?? Infinity) > MAX_ERROR)
    throw new Error(`an error of ${longest?.characters} characters was kept`)
}

/** Two processes, each replaced when it ends. What ends them is given up; whatever they held beside it is done. */
async function killAll(
  stage: Stage,
  options: FleetProcessOptions & { readonly database: FaultPostgres },
  { emitMany }: RecordedEmit,
  fleet: Fleet,
  attempts: number,
  neighbours: number,
) {
  const kinds = Object.keys(KILLERS)
  const tenant = fleet.tenant("kills")
  await emitMany("kills", [
    ...kinds.flatMap((kind) => asked(`kill.${kind}`)),
    ...asked("slow.asked", neighbours),
    ...asked("quick.asked", neighbours),
  ])
  const decided = new AbortController()
  const places = [1, 2].map(() => supervise(stage, options, decided.signal))
  await until(async () => (await tenant.openDeliveries()) === 0, {
    withinMs: stage.sized(110_000, 600_000),
    what: "everything is decided",
  })
  decided.abort()
  const deaths = (await Promise.all(places)).reduce((sum, each) => sum + each, 0)
  const { done, dead } = await tenant.counts()
  if (done !== 2 * neighbours || dead !== kinds.length)
    throw new Error(
      `expected ${2 * neighbours} neighbours done and ${kinds.length} killers dead, got ${done} and ${dead}`,
    )
  const lost = await tenant.deadLetters.count({ errorCode: "worker_lost" })
  if (lost !== kinds.length) throw new Error(`expected ${kinds.length} dead letters with worker_lost, got ${lost}`)
  const ledger = await stage.ledger()
  const runs = await ledger.count("invocations", "handler like 'kill.%'")
  if (runs > kinds.length * attempts)
    throw new Error(`${kinds.length} killers with ${attempts} attempts ran ${runs} times`)
  return { neighbours: 2 * neighbours, deaths, killersRan: runs }
}

/** Starts a process, and another whenever it ends. Answers how many ended. */
async function supervise(stage: Stage, options: FleetProcessOptions, stop: AbortSignal): Promise<number> {
  for (let deaths = 0; ; deaths += 1) {
    const { process } = await stage.spawn({ ...options, nodeFlags: ["--max-old-space-size=128"] })
    await until(() => stop.aborted || !process.isRunning(), { withinMs: 600_000, what: "a process ends" })
    if (stop.aborted) return deaths
  }
}
