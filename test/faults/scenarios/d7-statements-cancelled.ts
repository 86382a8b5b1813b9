import type { FaultPostgres } from "../fault-postgres.ts"
import { type ForeignSession, openForeignSession } from "../foreign-session.ts"
import type { HandlerSetRef } from "../handlers/load.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { RecordedEmit } from "../ledger/recorded-emit.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** What the statements of each process are cancelled with, by the settings of its connections. */
const KINDS = {
  lockTimeout: { settings: "-c lock_timeout=150", code: "55P03" },
  statementTimeout: { settings: "-c statement_timeout=300", code: "57014" },
  serialisation: { settings: "-c default_transaction_isolation=serializable", code: "40001" },
} as const
type Kind = keyof typeof KINDS
const TABLES = ["fleetprompt.deliveries", "org_acme.signals", "org_acme.attempts"]
/** What succeeded is booked by itself, or by the statement that stores the next signals. */
const BOOKS = ["completeDeliveries", "insertSignals"]
const CIRCLES: readonly Circle[] = [
  { held: "org_acme.attempts", wanted: "fleetprompt.deliveries", statements: BOOKS },
  { held: "fleetprompt.deliveries", wanted: "org_acme.signals", statements: ["insertSignals"] },
]

/** D7: statements of the engine are cancelled in each of the four ways, whichever they are. */
export const scenario = defineScenario({
  id: "D7",
  title: "statement_timeout, lock_timeout, deadlock, serialisation failure",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const database = await stage.postgres()
    // One attempt each: whatever counts as the handler's failure makes a dead letter.
    const handlers = { set: "invoices", options: { attempts: 1 } }
    const fleet = await stage.fleet({ database, handlers })
    const other = await stage.fleet({ database, handlers })
    await fleet.tenants.provision("acme")
    const workers = await startWorkers(stage, database, handlers)
    const all = Object.values(workers)
    const load = { tenants: ["acme"], callers: 4, perSecond: stage.sized(40, 100), keyed: 0.5, duplicates: 0.1 }
    for (const worker of all) await worker.tell("startLoad", load)
    const foreign = await openForeignSession(stage, database)
    for (let round = 0; round < stage.sized(1, 10); round++) {
      for (const table of TABLES) await lockOut(foreign, table, [workers.lockTimeout, workers.statementTimeout])
      for (const circle of CIRCLES) await deadlock(database, foreign, circle)
      await changeUnseen(database, foreign, workers.serialisation)
    }
    for (const worker of all) await worker.tell("stopLoad")
    await lockOutBetween(stage, database, foreign)
    await oppositeBatches(database, foreign, [await stage.recorder(fleet), await stage.recorder(other)])
    await allAnswered(await stage.ledger())
    await fleet.drain()
    await onlyDone(database)
    return { ...(await stage.check(scenario.invariants)), ...countsOf(all) }
  },
})

async function startWorkers(
  stage: Stage,
  database: FaultPostgres,
  handlers: HandlerSetRef,
): Promise<Readonly<Record<Kind, FleetProcess>>> {
  const started = Object.entries(KINDS).map(async ([kind, { settings }]) => {
    return [kind, await startWorker(stage, database, handlers, { kind, settings })] as const
  })
  // Each kind has one.
  return Object.fromEntries(await Promise.all(started)) as Record<Kind, FleetProcess>
}

function startWorker(
  stage: Stage,
  { url }: FaultPostgres,
  handlers: HandlerSetRef,
  { kind, settings }: { readonly kind: string; readonly settings: string },
): Promise<FleetProcess> {
  const own = `${url}?application_name=${kind}&options=${encodeURIComponent(settings)}`
  return stage.worker({ database: { url: own }, handlers })
}

/** Errors with this code that a process met and told. */
function toldOf({ events }: FleetProcess, code: string): readonly string[] {
  const errors = events.map(({ fields }) => String(fields["error"]))
  return errors.filter((error) => error.startsWith(`${code}:`))
}

/** Takes a whole table until the statements of each of these processes were cancelled a few times. */
async function lockOut(foreign: ForeignSession, table: string, [first, second]: readonly [FleetProcess, FleetProcess]) {
  const before = [toldOf(first, "55P03").length, toldOf(second, "57014").length] as const
  await foreign.query(`begin; lock table ${table} in access exclusive mode`)
  await until(() => toldOf(first, "55P03").length > before[0] + 1 && toldOf(second, "57014").length > before[1] + 1, {
    withinMs: 10_000,
    what: `statements that wait for ${table} are cancelled`,
  })
  await foreign.query("commit")
}

/**
 * Waits in a circle with a statement of the engine: holds the second table that it needs, and then wants the first.
 * The engine's is the one that is cancelled, since the other has all the time in the world.
 */
async function deadlock(database: FaultPostgres, foreign: ForeignSession, tables: Circle): Promise<void> {
  const { held, wanted, statements } = tables
  const before = await deadlocks(database)
  await foreign.query("set deadlock_timeout = '1min'")
  const meet = async (): Promise<boolean> => {
    await foreign.query(`rollback; begin; lock table ${held} in share row exclusive mode`)
    const patience = { withinMs: 5_000, what: `a statement waits for ${held}`, everyMs: 20 }
    await until(() => isBlocked(database, foreign, statements), patience)
    await foreign.query(`lock table ${wanted} in share row exclusive mode; commit`)
    return (await deadlocks(database)) > before
  }
  await until(meet, { withinMs: 30_000, what: `a deadlock about ${held} and ${wanted}` })
}

interface Circle {
  readonly held: string
  readonly wanted: string
  /** Which statements of the engine need both. */
  readonly statements: readonly string[]
}

/** Whether one of these statements of a process waits for the session; by default of that whose waits no timeout ends. */
async function isBlocked(
  { query }: FaultPostgres,
  { pid }: ForeignSession,
  statements: readonly string[],
  name: string = "serialisation" satisfies Kind,
): Promise<boolean> {
  const rows = await query(
    `select 1 from pg_stat_activity where $1 = any (pg_blocking_pids(pid)) and application_name = $2
       and split_part(query, ' ', 2) = any ($3)`,
    [pid, name, statements],
  )
  return rows.length > 0
}

async function deadlocks({ query }: FaultPostgres): Promise<number> {
  const [row] = await query<{ count: string }>(
    "select deadlocks as count from pg_stat_database where datname = current_database()",
  )
  return Number(row?.count)
}

/** Changes rows that a process is about to book, which its settings do not let it see, a few times. */
async function changeUnseen(database: FaultPostgres, foreign: ForeignSession, worker: FleetProcess): Promise<void> {
  const point = "invoice.send:effect"
  const meet = async (): Promise<boolean> => {
    await worker.tell("hold", point)
    await worker.reached(point, worker.points.filter((each) => each.point === point).length + 1)
    await foreign.query("rollback; begin")
    const text = "update fleetprompt.deliveries set enqueued_at = enqueued_at where leased_by = $1"
    await foreign.query(text, [worker.workerName()])
    await worker.tell("release", point)
    await until(() => isBlocked(database, foreign, BOOKS), { withinMs: 5_000, what: "a settle waits" })
    await foreign.query("commit")
    return toldOf(worker, "40001").length >= 3
  }
  await until(meet, { withinMs: 30_000, what: "settles fail to be serialised" })
}

/** A worker claims deliveries, and then can neither read their signals nor give the deliveries back for a while. */
async function lockOutBetween(stage: Stage, database: FaultPostgres, foreign: ForeignSession): Promise<void> {
  const handlers = { set: "alone" }
  const fleet = await stage.fleet({ database, handlers })
  const { emitMany } = await stage.recorder(fleet)
  await emitMany(
    "acme",
    Array.from({ length: 20 }, (_, n) => ({ type: "alone.asked", data: { n } })),
  )
  await foreign.query("rollback; begin; lock table org_acme.signals in access exclusive mode")
  const worker = await startWorker(stage, database, handlers, { kind: "alone", settings: "-c lock_timeout=1000" })
  const reads = (): Promise<boolean> => isBlocked(database, foreign, ["selectSignals"], "alone")
  await until(reads, { withinMs: 20_000, what: "signals of claimed deliveries are to be read", everyMs: 10 })
  await foreign.query("lock table fleetprompt.deliveries in share row exclusive mode")
  const isKept = (): boolean => worker.events.some(({ fields }) => fields["step"] === "release")
  await until(isKept, { withinMs: 10_000, what: "deliveries cannot be given back" })
  await foreign.query("commit")
  await fleet.drain()
  await worker.stop()
}

/** Two fleets say the same keyed facts at once in opposite orders, until each waits for a key that the other has. */
async function oppositeBatches(
  database: FaultPostgres,
  foreign: ForeignSession,
  [one, other]: readonly [RecordedEmit, RecordedEmit],
): Promise<void> {
  const before = await deadlocks(database)
  const meet = async (): Promise<boolean> => {
    const round = crypto.randomUUID()
    const facts = Array.from({ length: 1_000 }, (_, n) => ({
      type: "order.created",
      data: { round, n },
      options: { dedupeKey: `${round}-${n}` },
    }))
    await foreign.query("rollback; begin; lock table org_acme.signals in share mode")
    const calls = Promise.allSettled([one.emitMany("acme", facts), other.emitMany("acme", facts.toReversed())])
    const areReady = async (): Promise<boolean> => (await blockedBy(database, foreign)) >= 2
    await until(areReady, { withinMs: 10_000, what: "both batches are on their way" })
    await foreign.query("commit")
    // What came of them is in the ledger.
    await calls
    return (await deadlocks(database)) > before
  }
  await until(meet, { withinMs: 30_000, what: "batches of keyed facts meet in a deadlock" })
}

async function blockedBy({ query }: FaultPostgres, { pid }: ForeignSession): Promise<number> {
  return (await query("select 1 from pg_stat_activity where $1 = any (pg_blocking_pids(pid))", [pid])).length
}

/** Every call of emit was carried out in the end, none was thrown back at its caller. */
async function allAnswered(ledger: Ledger): Promise<void> {
  const rows = await ledger.query<{ error: string; count: string }>(
    "select error, count(*) as count from calls where outcome <> 'ok' or tries > 1 group by error",
  )
  const others = rows.map(({ error, count }) => `${count} with ${error}`)
  if (others.length > 0) throw new Error(`expected each emit to be stored in the end, got ${others.join(", ")}`)
}

/** Every attempt is done: none is booked as failed, lost or dead. */
async function onlyDone({ query }: FaultPostgres): Promise<void> {
  const rows = await query<{ outcome: string; count: string }>(
    "select outcome, count(*) as count from org_acme.attempts group by outcome",
  )
  const others = rows.filter(({ outcome }) => outcome !== "done").map(({ outcome, count }) => `${count} ${outcome}`)
  if (others.length > 0) throw new Error(`expected attempts that are done, got ${others.join(", ")}`)
}

/** How often statements were cancelled, by the reason and by the step that met it. */
function countsOf(workers: readonly FleetProcess[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { fields } of workers.flatMap(({ events }) => events)) {
    const [code] = String(fields["error"]).split(":")
    for (const name of [`of${code}`, `in${String(fields["step"])}`]) counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}
