import type { Ground } from "./ground.ts"
import type { Progress } from "./progress.ts"
import { runScenario } from "./run-scenario.ts"
import type { Result, Scale, Scenario } from "./scenario.ts"

/** What scenarios are run with. */
export interface RunDeps {
  readonly scale: Scale
  readonly ground: Ground
  readonly progress: Progress
  /** Ends all that is under way; what has not begun does not begin. */
  readonly abort: AbortSignal
}

/** Runs scenarios, several at once, and after them those that must be alone. Results are in the order of the scenarios. */
export async function runAll(scenarios: readonly Scenario[], jobs: number, deps: RunDeps): Promise<readonly Result[]> {
  const results = new Map<Scenario, Result>()
  const work = async (queue: Scenario[]): Promise<void> => {
    for (let next = queue.shift(); next && !deps.abort.aborted; next = queue.shift()) {
      results.set(next, await runOne(next, deps))
    }
  }
  const together = scenarios.filter(({ alone }) => !alone)
  await Promise.all(Array.from({ length: jobs }, () => work(together)))
  await work(scenarios.filter(({ alone }) => alone))
  return scenarios.flatMap((scenario) => results.get(scenario) ?? [])
}

async function runOne(scenario: Scenario, { progress, ...deps }: RunDeps): Promise<Result> {
  progress.begins(scenario)
  const log = (text: string): void => progress.line(`${scenario.id}: ${text}`)
  const result = await runScenario(scenario, { ...deps, log })
  progress.ended(result)
  return result
}
