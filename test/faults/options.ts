import { parseArgs } from "node:util"
import type { Scale } from "./scenario.ts"
import { DEFAULT_MINUTES } from "./soak/options.ts"

/** What the command was asked for. */
export interface Options {
  readonly scale: Scale
  /** Ids of the scenarios to run, the soak last. */
  readonly ids: readonly string[]
  /** Length of the soak. */
  readonly minutes: number
  /** What the soak's faults come from. */
  readonly seed: number
  readonly json: boolean
  readonly report: boolean
  /** Scenarios at once. */
  readonly jobs: number
}

/** The scenario that runs only when it is asked for. */
export const SOAK = "SOAK"

/** How the command is used. */
export const USAGE = `npm run test:faults -- [--short|--long|--soak] [--only ID,ID] [--minutes N] [--seed N] [--jobs N] [--json] [--report]

            all scenarios at their long scale
--short     all scenarios, small, in under five minutes
--long      all scenarios at their long scale, and then the soak
--soak      the soak alone
--only      scenarios by id: P1,D2
--minutes   length of the soak (default ${DEFAULT_MINUTES})
--seed      what the soak's faults come from (default: any)
--jobs      scenarios at once (default 4); those that must be alone come last
--json      prints one JSON array instead of a table
--report    writes bench/results/faults-<date>.md`

const MAX_SEED = 1_000_000

/** Reads the command line. @throws Error with what was expected */
export function readOptions(args: readonly string[], known: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      short: { type: "boolean", default: false },
      long: { type: "boolean", default: false },
      soak: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      minutes: { type: "string", default: String(DEFAULT_MINUTES) },
      seed: { type: "string", default: String(1 + Math.floor(Math.random() * MAX_SEED)) },
      jobs: { type: "string", default: "4" },
      json: { type: "boolean", default: false },
      report: { type: "boolean", default: false },
    },
  })
  const { short, long, soak, json, report } = values
  if ([short, long, soak].filter(Boolean).length > 1)
    throw new Error("expected one of --short, --long and --soak, got several")
  const only = values.only.split(",").filter((id) => id !== "")
  const unknown = only.find((id) => !known.includes(id))
  if (unknown !== undefined)
    throw new Error(`expected --only to name scenarios, got "${unknown}"; there are ${known.join(", ")}`)
  return {
    scale: short ? "short" : "long",
    ids: soakLast(known.filter((id) => isWanted(id, only, values))),
    minutes: wholeNumber("--minutes", values.minutes),
    seed: wholeNumber("--seed", values.seed),
    jobs: wholeNumber("--jobs", values.jobs),
    json,
    report,
  }
}

function isWanted(
  id: string,
  only: readonly string[],
  { long, soak }: { readonly long: boolean; readonly soak: boolean },
): boolean {
  if (only.length > 0) return only.includes(id) || (id === SOAK && soak)
  return id === SOAK ? long || soak : !soak
}

function soakLast(ids: readonly string[]): readonly string[] {
  return [...ids.filter((id) => id !== SOAK), ...ids.filter((id) => id === SOAK)]
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new Error(`expected a whole number from 1 as ${name}, got "${text}"`)
}
