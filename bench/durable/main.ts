import { spawnSync } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { type Effort, FULL, QUICK } from "./effort.ts"
import { contendersOf, onlyRows, rowsOf, stagesOf } from "./plan.ts"
import { Figures } from "./figures.ts"
import { describeMachine } from "./machine.ts"
import { type Options, readOptions, USAGE } from "./options.ts"
import { startPostgresServer } from "./postgres.ts"
import { askRedis } from "./redis.ts"
import { reportOf } from "./report.ts"
import { resultsOf } from "./results.ts"
import { type Bench, runTrial } from "./run-trial.ts"
import type { Stage, Trial } from "./trial.ts"

/** The quick run is to end within five minutes; what has not begun by then is left out. */
const QUICK_MS = 270_000
const ROOT = new URL("../../../../", import.meta.url)

const startedAt = new Date()

async function main(options: Options): Promise<void> {
  const effort = options.quick ? QUICK : FULL
  const redis = await askRedis(options.redis).catch((error: unknown) => {
    progress(`no Redis at ${options.redis}: ${String(error)}`)
    return undefined
  })
  const stages = onlyRows(stagesOf(effort, contendersOf(effort, options.contenders)), options.only)
  const server = await startPostgresServer()
  const interrupted = () => void server.stop().finally(() => process.exit(1))
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted)
  const figures = new Figures()
  const redisUrl = redis && new URL(`/fleetprompt-bench-${process.pid}`, options.redis).href
  try {
    await runAll({ server, redisUrl, figures, progress }, stages, effort, options.rounds ?? effort.rounds)
    const results = resultsOf(figures, rowsOf(stages))
    const report = reportOf(results, figures, await describeMachine(startedAt, server.version, redis))
    if (isComplete(options)) await keep(report)
    process.stdout.write(`${options.json ? JSON.stringify(results) : report}\n`)
  } finally {
    await server.stop()
  }
}

async function runAll(bench: Bench, stages: readonly Stage[], effort: Effort, rounds: number): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    for (const stage of stages) await runStage(bench, stage, effort, round)
  }
}

async function runStage(bench: Bench, { name, isTogether, trials }: Stage, effort: Effort, round: number) {
  const run = async (trial: Trial): Promise<void> => {
    const left = effort.isQuick ? QUICK_MS - (Date.now() - startedAt.getTime()) : Infinity
    progress(`${elapsed()} round ${round}, ${name}: ${trial.contender.id}`)
    await runTrial(bench, trial, Math.min(trial.timeoutMs, left))
  }
  const due = trials.filter(({ isOnce }) => round === 1 || !isOnce)
  if (isTogether) await Promise.all(due.map(run))
  else for (const trial of due) await run(trial)
}

/** A run that leaves nothing out is kept. */
function isComplete({ quick, only, contenders }: Options): boolean {
  return !quick && only.length === 0 && contenders.length === 0
}

/** In the repository's format, which its checks ask for. */
async function keep(report: string): Promise<void> {
  const date = startedAt.toISOString().slice(0, 10)
  const file = fileURLToPath(new URL(`bench/results/durable-${date}.md`, ROOT))
  await writeFile(file, `# Durable emits and handlers, ${date}\n\n${report}\n`)
  const { status } = spawnSync(fileURLToPath(new URL("node_modules/.bin/oxfmt", ROOT)), [file], { stdio: "ignore" })
  progress(`wrote ${file}${status === 0 ? "" : "; run npm run format"}`)
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}

function elapsed(): string {
  return `${Math.round((Date.now() - startedAt.getTime()) / 1_000)} s:`
}

try {
  await main(readOptions(process.argv.slice(2)))
} catch (error) {
  progress(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
  process.exitCode = 1
}
