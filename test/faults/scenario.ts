import type { Stage } from "./stage.ts"

/** What of the fault table must hold in any case. */
export type InvariantId = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8" | "I9" | "I10"

/** What a scenario measured, by name with the unit in it: `takeoverMs`, `calls`. */
export type Figures = Readonly<Record<string, number | string | boolean | null>>

/** How large: short is for each day, all scenarios in five minutes; long is what the fault table asks for. */
export type Scale = "short" | "long"

/** One row of the fault table, made to happen. */
export interface Scenario {
  /** `P1`, as in the fault table. */
  readonly id: string
  /** What is injected, in a few words. */
  readonly title: string
  /** Those that it checks. */
  readonly invariants: readonly InvariantId[]
  /** Whether it must run by itself, since it measures time or needs the whole machine. Default false. */
  readonly alone?: boolean
  /** After so long its processes are killed and it counts as not held, milliseconds. Default: short 120,000, long 900,000. */
  readonly limitMs?: number | { readonly short: number; readonly long: number }
  /** Makes it happen and throws when something did not hold. */
  readonly run: (stage: Stage) => Promise<Figures>
}

/** What came of a scenario. */
export interface Result {
  readonly scenario: string
  readonly title: string
  readonly held: boolean
  readonly invariants: readonly InvariantId[]
  readonly figures: Figures
  readonly seconds: number
  /** Why it did not hold. */
  readonly error?: string
}

/** Says what a scenario is; one file of `scenarios/` each. */
export function defineScenario(scenario: Scenario): Scenario {
  return scenario
}

const DEFAULT_LIMITS = { short: 120_000, long: 900_000 }

/** How long a scenario may take, milliseconds. */
export function limitOf({ limitMs = DEFAULT_LIMITS }: Scenario, scale: Scale): number {
  return typeof limitMs === "number" ? limitMs : limitMs[scale]
}
