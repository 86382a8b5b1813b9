import type { Contender } from "./contenders.ts"
import { type ContenderProcess, startContenderProcess } from "./contender-process.ts"
import type { Figures } from "./figures.ts"
import { measure, type Running, warmUp } from "./measure.ts"
import type { PostgresServer, RunDatabase } from "./postgres.ts"
import type { Trial } from "./trial.ts"

/** What trials need. */
export interface Bench {
  readonly server: PostgresServer
  /** Redis, with the prefix of this run's keys as its path; undefined when none answers. */
  readonly redisUrl: string | undefined
  readonly figures: Figures
  readonly progress: (line: string) => void
}

const CLOSE_MS = 5_000

/** Runs a trial and books its figures. Whatever fails becomes a figure that is missing, with the reason. */
export async function runTrial(bench: Bench, trial: Trial, timeoutMs: number): Promise<void> {
  const obstacle = obstacleOf(bench, trial, timeoutMs)
  if (obstacle !== undefined) return missAll(bench, trial, obstacle)
  const processes: ContenderProcess[] = []
  const seconds = Math.round(timeoutMs / 1_000)
  const timer = setTimeout(() => void killAll(processes, `its ${seconds} seconds were over`), timeoutMs)
  const database = await bench.server.createDatabase()
  try {
    const running = await start(bench, trial, database, processes)
    await warmUp(running)
    for (const step of trial.steps) await book(bench, running, step)
  } catch (error) {
    missAll(bench, trial, messageOf(error))
  } finally {
    clearTimeout(timer)
    await closeAll(processes)
    await discard(bench, trial.contender, database)
  }
}

function obstacleOf({ redisUrl }: Bench, { contender }: Trial, timeoutMs: number): string | undefined {
  if (timeoutMs <= 0) return "the time of the quick run was over"
  return contender.store === "redis" && redisUrl === undefined ? "no Redis answers" : undefined
}

async function start(
  bench: Bench,
  trial: Trial,
  database: RunDatabase,
  processes: ContenderProcess[],
): Promise<Running> {
  const { contender, layout, handlers, tenants, placement, goal } = trial
  const { module, form } = contender
  const open = async (works: boolean, firstEvent: number): Promise<ContenderProcess> => {
    const process = startContenderProcess()
    processes.push(process)
    const url = urlOf(bench, contender, database)
    await process.tell("open", { module, firstEvent, setup: { url, handlers, tenants, placement, form, goal, works } })
    return process
  }
  // The worker first, so that it is the one that sets up the tables.
  const worker = layout === "one" || layout === "two" ? await open(true, 0) : undefined
  const emitter = layout === "one" && worker ? worker : await open(false, 0)
  return {
    trial,
    server: bench.server,
    database,
    emitter,
    worker,
    turnToWorker: async (firstEvent) => {
      await emitter.tell("close")
      await emitter.kill("closed")
      return open(true, firstEvent)
    },
    handledRate: () => bench.figures.of("handled-64-1", contender.name)?.value ?? undefined,
  }
}

function urlOf({ redisUrl }: Bench, { store }: Contender, database: RunDatabase): string {
  return store === "redis" && redisUrl !== undefined ? redisUrl : database.url
}

async function book(bench: Bench, running: Running, step: Trial["steps"][number]): Promise<void> {
  const { figures, progress } = bench
  const { name } = running.trial.contender
  try {
    const measured = await measure(running, step)
    for (const [index, figure] of measured.entries()) {
      const rows = step.rows[index] ?? []
      for (const row of rows) figures.add(row, name, figure)
      progress(`  ${rows.join(", ")}: ${figure.value?.toFixed(1) ?? "none"} ${figure.note ?? ""}`)
    }
  } catch (error) {
    miss(bench, running.trial, step.rows.flat(), messageOf(error))
  }
}

/** Notes that rows have no figure. Those that have one by now keep it. */
function miss({ figures, progress }: Bench, { contender }: Trial, rows: readonly string[], note: string): void {
  for (const row of rows) figures.add(row, contender.name, { value: null, note })
  progress(`  ${rows.join(", ")}: none, ${note}`)
}

function missAll(bench: Bench, trial: Trial, note: string): void {
  for (const step of trial.steps) miss(bench, trial, step.rows.flat(), note)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function killAll(processes: readonly ContenderProcess[], reason: string): Promise<void> {
  await Promise.all(processes.map(({ kill }) => kill(reason)))
}

/** In the order in which they were opened: workers before emitters. */
async function closeAll(processes: readonly ContenderProcess[]): Promise<void> {
  const timer = setTimeout(() => void killAll(processes, "it did not close"), CLOSE_MS)
  for (const { tell } of processes) await tell("close").catch(() => {})
  clearTimeout(timer)
  await killAll(processes, "closed")
}

/** Leaves nothing behind, in Redis neither. */
async function discard(bench: Bench, contender: Contender, database: RunDatabase): Promise<void> {
  await bench.server.dropDatabase(database)
  if (contender.store !== "redis") return
  const { module, form } = contender
  const url = urlOf(bench, contender, database)
  const process = startContenderProcess()
  const timer = setTimeout(() => void process.kill("it did not discard"), CLOSE_MS)
  const unused = { handlers: 1, tenants: [], placement: "own", goal: "latency", works: false } as const
  try {
    await process.tell("open", { module, firstEvent: 0, setup: { ...unused, url, form } })
    await process.tell("discard")
  } catch (error) {
    bench.progress(`  keys left in Redis below ${url}: ${messageOf(error)}`)
  } finally {
    clearTimeout(timer)
    await process.kill("discarded")
  }
}
