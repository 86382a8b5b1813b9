import { expectAttempts } from "../attempt-counts.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { startLoad } from "../load.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

const GRACE_MS = 3_000
/** How long a process may take to end beside the grace, on a busy machine. */
const ENDING_MS = 15_000
/** So long after the signal, nothing begins any more. */
const HEARD_MS = 1_000
const LONG_JOBS = 5

/** P7: workers are told to stop while much is under way, among it jobs of ten minutes; then one is told twice. */
export const scenario = defineScenario({
  id: "P7",
  title: "SIGTERM under load, twice, with jobs of 10 min",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const database = await stage.postgres()
    const handlers = { set: "jobs", options: { longMs: 600_000 } }
    const fleet = await stage.fleet({ database, handlers })
    for (const slug of ["brief", "lengthy"]) await fleet.tenants.provision(slug)
    const options = { database, handlers, graceMs: GRACE_MS }
    const first = await stage.worker(options)
    const { emitMany } = await stage.recorder(fleet)
    await emitMany(
      "lengthy",
      Array.from({ length: LONG_JOBS }, (_, n) => ({ type: "long.asked", data: { n } })),
    )
    const perSecond = stage.sized(100, 400)
    const load = startLoad(fleet, await stage.ledger(), { tenants: ["brief"], types: ["short.asked"], perSecond })
    stage.cleanup("the load", load.stop)
    const second = await stopUnderLoad(stage, database, first, () => stage.worker(options))
    const third = await stopUnderLoad(stage, database, second, () => stage.worker(options))
    await third.reached("long.job:begun", LONG_JOBS)
    const twice = await stopTwice(third)
    const last = await stage.worker({ ...options, handlers: { set: "jobs", options: { longMs: 100 } } })
    const { ok } = await load.stop()
    await fleet.drain()
    const workers = { first, second, third, last }
    await expectAttempts(database, "lengthy", workers, [
      `${LONG_JOBS} × 1 lost by third`,
      `${LONG_JOBS} × 2 done by last`,
    ])
    const bad = await database.query<{ outcome: string }>(
      "select outcome from org_brief.attempts where outcome <> 'done' and (outcome <> 'lost' or worker <> $1)",
      [third.workerName()],
    )
    if (bad.length > 0) throw new Error(`${bad.length} short jobs ended otherwise than done: ${bad[0]?.outcome}`)
    return { ...(await stage.check(scenario.invariants)), shortJobs: ok, twiceMs: twice }
  },
})

/**
 * Stops a worker in the middle of its work, once its successor runs: what had begun and is short ends, the rest is
 * given back without an attempt, and the process ends with 0.
 *
 * @returns the successor
 */
async function stopUnderLoad(
  stage: Stage,
  database: FaultPostgres,
  worker: FleetProcess,
  startNext: () => Promise<FleetProcess>,
): Promise<FleetProcess> {
  const ledger = await stage.ledger()
  const name = worker.workerName()
  const runs = (condition: string): Promise<number> =>
    ledger.count("invocations", `worker = '${name}' and ${condition}`)
  await worker.reached("long.job:begun", LONG_JOBS)
  const next = await startNext()
  await until(async () => (await runs("handler = 'short.job' and outcome is null")) > 0, {
    withinMs: 20_000,
    what: "short jobs are under way",
  })
  const heardAt = new Date(Date.now() + HEARD_MS).toISOString()
  const toldAt = performance.now()
  worker.kill("SIGTERM")
  const { code, signal } = await worker.exited
  const endedMs = performance.now() - toldAt
  if (code !== 0)
    throw new Error(`expected the worker to end with 0, it ended with ${code ?? signal}: ${worker.stderr()}`)
  if (endedMs > GRACE_MS + ENDING_MS)
    throw new Error(`expected the worker to end soon after the grace, it took ${endedMs} ms`)
  const held = await database.query("select 1 from fleetprompt.deliveries where leased_by = $1", [name])
  if (held.length > 0) throw new Error(`${held.length} deliveries are still held by the worker that ended`)
  const cut = await runs("handler = 'short.job' and outcome is distinct from 'returned'")
  if (cut > 0) throw new Error(`${cut} short jobs were cut off`)
  const late = await runs(`begun_at > '${heardAt}'`)
  if (late > 0) throw new Error(`${late} jobs began more than ${HEARD_MS} ms after the signal`)
  const counted = await database.query(
    "select 1 from fleetprompt.deliveries where handler = 'long.job' and attempt > 1",
  )
  if (counted.length > 0) throw new Error(`an attempt of ${counted.length} long jobs was burnt`)
  return next
}

/** A second signal ends the process at once. */
async function stopTwice(worker: FleetProcess): Promise<number> {
  const toldAt = performance.now()
  // Signals that come close together count as one.
  const again = setInterval(() => worker.kill("SIGTERM"), 50)
  worker.kill("SIGTERM")
  const { code } = await worker.exited
  clearInterval(again)
  if (code !== 130) throw new Error(`expected a worker that is told twice to end with 130, got ${code}`)
  return Math.round(performance.now() - toldAt)
}
