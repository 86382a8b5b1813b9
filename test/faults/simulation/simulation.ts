import type { Database } from "../../../src/store/database.ts"
import { findViolations } from "./invariants.ts"
import { patchGlobals } from "./patched-globals.ts"
import { type Evidence, readEvidence } from "./evidence.ts"
import { runScript } from "./script.ts"
import { resumeAll } from "./script-operator.ts"
import type { Alter } from "./simulated-database.ts"
import { emptyStore } from "./store.ts"
import type { Violation } from "./violation.ts"
import { World } from "./world.ts"

/** What came of a seed. */
export interface SimulationResult {
  readonly seed: number
  readonly violations: readonly Violation[]
  /** Every line of what happened. */
  readonly trace: () => readonly string[]
  /** The lines that somebody needs who looks for the cause. */
  readonly excerpt: () => readonly string[]
  readonly figures: Figures
}

/** How much happened. */
interface Figures {
  readonly statements: number
  readonly signals: number
  readonly invocations: number
  /** Runs that ended well of a delivery that another run had done already. */
  readonly repeated: number
  /** Deliveries that were given up because those that had them went away. */
  readonly lost: number
  readonly virtualMs: number
}

/** How long everything may take to be done once nothing goes wrong any more. */
const SETTLING_MS = 180_000
const LOOK_MS = 500
/** Longer than a reader waits before it looks again. */
const READING_MS = 1_500

/** Runs one seed: its script, then a time without faults, then the invariants. */
export async function simulate(
  database: Database,
  seed: number,
  alter: Alter = (statement) => statement,
): Promise<SimulationResult> {
  await emptyStore(database)
  const restore = patchGlobals()
  const world = new World(database, seed, alter)
  try {
    await world.boot()
    await runScript(world)
    const unsettled = await settle(world, database)
    await stopAll(world)
    const evidence = await readEvidence(database)
    const { ledger, server, profile, trace } = world
    const broken = findViolations({
      evidence,
      ledger,
      log: server.log,
      reads: profile.reads,
      steadyMs: world.steadyMs,
      versionOf: (machine) => world.versionOf(machine),
    })
    const violations = [...unsettled, ...broken]
    return {
      seed,
      violations: violations.map(({ invariant, what, ids }) => ({ invariant, what: trace.named(what), ids })),
      trace: () => trace.all(),
      excerpt: () => trace.about(violations.flatMap(({ ids }) => ids)),
      figures: figuresOf(world, evidence),
    }
  } finally {
    await world.server.close()
    await world.time.advance(0)
    restore()
  }
}

function figuresOf({ server, ledger, time }: World, { signals, attempts }: Evidence): Figures {
  const done = ledger.invocations.filter(({ result }) => result === "done")
  return {
    statements: server.log.length,
    signals: signals.length,
    invocations: ledger.invocations.length,
    repeated: done.length - new Set(done.map(({ signalId, handler }) => `${signalId} ${handler}`)).size,
    lost: attempts.filter(({ outcome, error }) => outcome === "dead" && error?.code === "worker_lost").length,
    virtualMs: Math.round(time.elapsed),
  }
}

/** Ends all faults and waits until nothing is left to be done. */
async function settle(world: World, database: Database): Promise<readonly Violation[]> {
  world.trace.stress("nothing goes wrong any more")
  world.network.heal()
  const over = world.time.now + SETTLING_MS
  while (world.time.now < over) {
    await world.time.advance(LOOK_MS)
    world.keepReading()
    if (!world.isSteady || world.network.hasOldMessages(LOOK_MS)) continue
    const left = await openWork(world, database)
    if (left.length === 0) {
      await world.time.advance(READING_MS)
      return []
    }
    if (!left.some((work) => work.startsWith(PAUSE))) world.steadyMs = Math.min(world.steadyMs, world.time.elapsed)
    else for (const process of world.up.slice(0, 1)) world.on(process, (fleet) => resumeAll(fleet))
  }
  const left = await openWork(world, database)
  return [{ invariant: "I8", what: `still to be done after ${SETTLING_MS} ms: ${left.join("; ")}`, ids: [] }]
}

const PAUSE = "pause of "

async function openWork({ server, time }: World, database: Database): Promise<readonly string[]> {
  while (server.isTaken) await time.advance(1)
  const rows = await database.query<{ work: string }>(
    `select '${PAUSE}' || tenant || ' ' || handler as work from fleetprompt.pauses
     union all select 'replay ' || id from fleetprompt.replays where status = 'running'
     union all select 'delivery ' || to_jsonb(delivery)::text from fleetprompt.deliveries as delivery`,
  )
  return rows.map(({ work }) => work)
}

/** Longer than a stop and what it is watched for take. */
const STOPPING_MS = 30_000

async function stopAll(world: World): Promise<void> {
  for (const process of world.processes) process.stopForGood()
  await world.time.advance(STOPPING_MS)
  for (const { machine } of world.processes) {
    if (machine.isAlive) world.ledger.badStops.push(`${machine.name} has not ended after ${STOPPING_MS} ms`)
    machine.isAlive = false
  }
}
