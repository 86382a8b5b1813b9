import { join } from "node:path"
import { prepareGround } from "./ground.ts"
import { type Options, readOptions, SOAK, USAGE } from "./options.ts"
import { Progress } from "./progress.ts"
import { keepReport, tableOf } from "./report.ts"
import { runAll } from "./run-all.ts"
import type { Result, Scenario } from "./scenario.ts"
import { SCENARIOS } from "./scenarios.ts"
import { readDetails, type SoakDetails } from "./soak/details.ts"
import { SOAK_VARIABLE } from "./soak/options.ts"

async function main(options: Options): Promise<void> {
  const startedAt = new Date()
  const { minutes, seed } = options
  // The soak runs in a process of its own, which has our environment.
  process.env[SOAK_VARIABLE] = JSON.stringify({ minutes, seed })
  const scenarios = await loadScenarios(options.ids)
  const progress = new Progress(scenarios.length)
  const abort = new AbortController()
  const interrupted = (): void => abort.abort()
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted)
  const ground = await prepareGround()
  let results: readonly Result[]
  let soak: SoakDetails | undefined
  try {
    results = await runAll(scenarios, options.jobs, { scale: options.scale, ground, progress, abort: abort.signal })
    soak = await readDetails(join(ground.directory, SOAK))
  } finally {
    progress.close()
    await ground.leave()
  }
  process.stdout.write(`${options.json ? JSON.stringify(results) : tableOf(results)}\n`)
  if (options.report) {
    const file = await keepReport({ results, soak, options, startedAt, postgres: ground.template.bin })
    progress.line(`wrote ${file}`)
  }
  if (results.length < scenarios.length || results.some(({ held }) => !held)) process.exitCode = 1
}

async function loadScenarios(ids: readonly string[]): Promise<readonly Scenario[]> {
  return Promise.all(
    ids.map(async (id) => {
      const scenario = (await SCENARIOS[id]?.())?.scenario
      if (scenario?.id === id) return scenario
      throw new Error(`expected the scenario ${id} under its own id, got ${scenario?.id}`)
    }),
  )
}

try {
  await main(readOptions(process.argv.slice(2), Object.keys(SCENARIOS)))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`)
  process.exitCode = 1
}
