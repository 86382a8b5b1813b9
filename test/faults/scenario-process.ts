import type { ClusterTemplate } from "../../test/support/postgres-cluster.ts"
import { Closing } from "./closing.ts"
import type { Figures, Scale } from "./scenario.ts"
import { SCENARIOS } from "./scenarios.ts"
import { Stage } from "./stage.ts"
import { waitedFor } from "./wait.ts"

// Runs one scenario in a process of its own, so that whatever it breaks harms no other. See run-scenario.ts.

/** What the process is told at its start, as JSON in its environment. */
export interface ScenarioConfig {
  readonly id: string
  readonly scale: Scale
  readonly template: Omit<ClusterTemplate, "remove">
  readonly ledgerServerUrl: string
}

/** The variable of the environment that holds it. */
export const SCENARIO_VARIABLE = "FAULTS_SCENARIO"

/** What the process tells: lines for whoever looks on, and at last how it went. */
export type ScenarioMessage =
  | { readonly kind: "log"; readonly text: string }
  | { readonly kind: "ended"; readonly figures: Figures; readonly error?: string }

async function run(config: ScenarioConfig): Promise<void> {
  const closing = new Closing()
  const tell = (message: ScenarioMessage): void => void process.send?.(message, () => {})
  let end: ScenarioMessage
  try {
    end = { kind: "ended", figures: await Promise.race([play(config, closing, tell), broken()]) }
  } catch (error) {
    end = { kind: "ended", figures: {}, error: describe(error) }
  }
  const complaints = await closing.closeAll()
  for (const text of complaints) tell({ kind: "log", text })
  process.send?.(end, () => process.exit(0))
}

async function play(
  { id, scale, template, ledgerServerUrl }: ScenarioConfig,
  closing: Closing,
  tell: (message: ScenarioMessage) => void,
): Promise<Figures> {
  const load = SCENARIOS[id]
  if (!load) throw new Error(`expected a scenario called ${id}`)
  const { scenario } = await load()
  const stage = new Stage({
    scenario: id,
    scale,
    closing,
    log: (text) => tell({ kind: "log", text }),
    template: { ...template, remove: async () => {} },
    ledgerServerUrl,
  })
  return scenario.run(stage)
}

/** Rejects when something was thrown that nobody caught, or when the scenario's time is over. */
function broken(): Promise<never> {
  return new Promise((_, reject) => {
    process.on("uncaughtException", (error) => reject(error))
    process.on("unhandledRejection", (error) => reject(new Error("a rejection that nobody handled", { cause: error })))
    process.on("message", () => reject(new Error(`its time is over${waits()}`)))
    process.once("disconnect", () => reject(new Error("the run was ended")))
  })
}

function waits(): string {
  return waitedFor.size === 0 ? "" : `; it waited for: ${[...waitedFor].join(", ")}`
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const place =
    error.stack
      ?.split("\n")
      .find((line) => line.includes("/scenarios/"))
      ?.trim() ?? ""
  const cause = error.cause === undefined ? "" : `; cause: ${describe(error.cause)}`
  return `${"code" in error ? `${String(error.code)}: ` : ""}${error.message}${place && ` (${place})`}${cause}`
}

const config = process.env[SCENARIO_VARIABLE]
if (config !== undefined) {
  delete process.env[SCENARIO_VARIABLE]
  await run(JSON.parse(config) as ScenarioConfig)
}
