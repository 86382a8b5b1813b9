import { setTimeout as wait } from "node:timers/promises"
import type { Await, Settled, Stored } from "./commands.ts"
import type { ContenderProcess } from "./contender-process.ts"
import type { Figure } from "./figures.ts"
import type { Load } from "./load.ts"
import type { PostgresServer, RunDatabase } from "./postgres.ts"
import { SMALL, type Step, type Trial } from "./trial.ts"

/** A trial under way. */
export interface Running {
  readonly trial: Trial
  readonly server: PostgresServer
  readonly database: RunDatabase
  readonly emitter: ContenderProcess
  /** The same process, or another; undefined when nobody handles. */
  readonly worker: ContenderProcess | undefined
  /** Ends the emitter and opens a worker in its place; its events begin at that number. */
  readonly turnToWorker: (firstEvent: number) => Promise<ContenderProcess>
  /** What the contender did a second in the row `handled-64-1`, when that is known. */
  readonly handledRate: () => number | undefined
}

/** How long a contender may take to catch up, beside three times as long as the load lasted, milliseconds. */
const PATIENCE_MS = 3_000
const LONG_PATIENCE_MS = 240_000
/** How long after its start a contender counts as idle, milliseconds. */
const BECOMES_IDLE_MS = 3_000
const WARM_UP: Load = { callers: 16, batch: 1, forMs: 500 }

/** Runs a step. @returns a figure for each value of the step, in their order. */
export async function measure(running: Running, step: Step): Promise<readonly Figure[]> {
  switch (step.kind) {
    case "emit":
      return [{ value: rateOf(await running.emitter.tell("emit", step.load)) }]
    case "handle":
      return [await handledRate(running, step.load)]
    case "latency":
      return latency(running, step)
    case "backlog":
      return backlog(running, step)
    case "idle":
      return idle(running, step.forMs)
    case "size":
      return [await size(running, step)]
  }
}

/** Some events for which no time is taken, at least one a tenant, so that connections are open and code is compiled. */
export async function warmUp({ emitter, worker, trial }: Running): Promise<void> {
  if (trial.layout === "in turn") return
  await emitter.tell("emit", WARM_UP)
  const { next } = await emitter.tell("emit", { callers: 16, batch: 1, count: trial.tenants.length })
  await worker?.tell("settled", { events: next, patienceMs: PATIENCE_MS })
}

function rateOf({ events, startedAt, endedAt }: Stored): number {
  return (events / (endedAt - startedAt)) * 1_000
}

async function handledRate(running: Running, load: Load): Promise<Figure> {
  const { emitter, trial } = running
  const worker = workerOf(running)
  const before = await worker.tell("progress")
  const stored = await emitter.tell("emit", load)
  const patienceMs = 3 * (load.forMs ?? 0) + PATIENCE_MS
  const settled = await settledOnce(worker, { events: stored.next, patienceMs })
  const seconds = (settled.at - stored.startedAt) / 1_000
  if (settled.complete) return { value: stored.events / seconds }
  const handled = (settled.handled - before.handled) / trial.handlers
  return { value: handled / seconds, note: "did not keep up: what it handled meanwhile" }
}

function workerOf({ worker }: Running): ContenderProcess {
  if (worker) return worker
  throw new Error("expected a process that handles")
}

/** Waits until everything is settled, and makes sure that each job ran once. */
async function settledOnce(worker: ContenderProcess, order: Await): Promise<Settled> {
  const settled = await worker.tell("settled", order)
  await checkOnce(worker, order.events, settled.complete)
  return settled
}

async function checkOnce(worker: ContenderProcess, events: number, complete: boolean): Promise<void> {
  const { missing, repeated } = await worker.tell("faults", { events })
  if (repeated > 0 || (complete && missing > 0)) {
    throw new Error(`expected each job to run once; ${missing} never ran, ${repeated} ran more than once`)
  }
}

async function latency(running: Running, step: Step & { kind: "latency" }): Promise<readonly Figure[]> {
  const worker = workerOf(running)
  const perSecond = step.perSecond === "half" ? await halfRate(running) : step.perSecond
  await worker.tell("latencies")
  const stored = await running.emitter.tell("emitSteadily", { perSecond, forMs: step.forMs })
  const settled = await settledOnce(worker, { events: stored.next, patienceMs: PATIENCE_MS })
  const { p50Ms, p99Ms } = await worker.tell("latencies")
  if (!settled.complete) return none(`did not keep up with ${Math.round(perSecond)} events/s`, 2)
  const note = step.perSecond === "half" ? { note: `at ${Math.round(perSecond)} events/s` } : {}
  return [p50Ms, p99Ms].map((value) => ({ value, ...note }))
}

async function halfRate(running: Running): Promise<number> {
  const rate = running.handledRate() ?? (await handledRate(running, { callers: 64, batch: 1, forMs: 1_000 })).value
  return (rate ?? 0) / 2
}

function none(note: string, values: number): readonly Figure[] {
  return Array.from({ length: values }, () => ({ value: null, note }))
}

/** Stores a backlog while nobody works; then starts a worker, and lets the small tenant emit meanwhile. */
async function backlog(running: Running, step: Step & { kind: "backlog" }): Promise<readonly Figure[]> {
  const { emitter, turnToWorker, trial } = running
  const flood = { callers: 4, batch: 100, count: step.events, tenant: trial.tenants[0] ?? "" }
  const { next } = await emitter.tell("emit", flood)
  const worker = await turnToWorker(next)
  const patienceMs = trial.timeoutMs / 4
  const drained = await worker.tell("drain", {
    events: next,
    perSecond: step.smallPerSecond,
    tenant: SMALL,
    patienceMs,
  })
  await checkOnce(worker, drained.next, drained.complete)
  const seconds = (drained.at - drained.firstAt) / 1_000
  const note = { note: `a backlog of ${next}` }
  if (!drained.complete) {
    return [
      { value: drained.handled / seconds, note: "did not end: what it handled meanwhile" },
      ...none("did not end", 1),
    ]
  }
  const { p99Ms } = await worker.tell("latencies")
  return [
    { value: drained.next / seconds, ...note },
    { value: p99Ms, ...note },
  ]
}

async function idle(running: Running, forMs: number): Promise<readonly Figure[]> {
  const { server, trial } = running
  const { before, after } = await server.counting(() => beforeAndAfter(running, forMs))
  const processMs = after.process.cpuMs - before.process.cpuMs
  const serverMs = sum([...after.server.cpuMs].map(([pid, ms]) => ms - (before.server.cpuMs.get(pid) ?? 0)))
  const queries = (after.server.queries - before.server.queries) / (forMs / 1_000)
  return [
    trial.contender.store === "postgres" ? { value: queries } : { value: null, note: "asks Redis, not Postgres" },
    { value: ((processMs + serverMs) / forMs) * 100 },
  ]
}

async function beforeAndAfter(running: Running, forMs: number) {
  const { server, database } = running
  const look = async () => ({
    server: await server.activity(database),
    process: await workerOf(running).tell("progress"),
  })
  await wait(BECOMES_IDLE_MS)
  const before = await look()
  await wait(forMs)
  return { before, after: await look() }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

const BYTES_PER_MB = 1_000_000

async function size(running: Running, step: Step & { kind: "size" }): Promise<Figure> {
  const { server, database, emitter, trial } = running
  if (trial.contender.store !== "postgres") return { value: null, note: "keeps its jobs in Redis" }
  const before = await server.size(database)
  const { events, next } = await emitter.tell("emit", { callers: 4, batch: 100, count: step.events, forMs: step.forMs })
  const settled = await settledOnce(workerOf(running), { events: next, patienceMs: LONG_PATIENCE_MS })
  const grown = (await server.size(database)) - before
  const value = (grown / events) * (step.events / BYTES_PER_MB)
  if (!settled.complete) return { value: null, note: `did not handle ${events} events in time` }
  return events < step.events ? { value, note: `measured on ${events} events` } : { value }
}
