import { parseArgs } from "node:util"
import { ROWS } from "./rows.ts"

/** What the command was asked for. */
export interface Options {
  readonly quick: boolean
  readonly json: boolean
  /** Rows to measure; none means all. */
  readonly only: readonly string[]
  /** Beginnings of contenders' ids; none means all. */
  readonly contenders: readonly string[]
  /** How often each stage runs. Default: by the run's effort. */
  readonly rounds: number | undefined
  readonly redis: string
}

/** How the command is used. */
export const USAGE = `npm run bench:durable -- [--quick] [--json] [--only ID,ID] [--contenders ours,graphile] [--rounds N] [--redis URL]

--quick       under five minutes: the rows with targets, the peers in their best form
--json        prints one JSON array instead of tables
--only        rows by id
--contenders  by the start of their id: ours, graphile-worker, pg-boss, dbos, bullmq-postgres, bullmq:,
              each of the peers with :tuned or :defaults
--rounds      how often everything is measured; figures are medians (default 3, with --quick 1)
--redis       default redis://127.0.0.1:6379`

/** Reads the command line. @throws Error with what was expected. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      contenders: { type: "string", default: "" },
      rounds: { type: "string" },
      redis: { type: "string", default: "redis://127.0.0.1:6379" },
    },
  })
  const { quick, json, redis } = values
  const only = listOf(values.only)
  const unknown = only.find((id) => !ROWS.some((row) => row.id === id))
  if (unknown !== undefined) {
    throw new Error(`expected --only to name rows, got "${unknown}"; there are ${ROWS.map(({ id }) => id).join(", ")}`)
  }
  return { quick, json, redis, only, contenders: listOf(values.contenders), rounds: roundsOf(values.rounds) }
}

function listOf(text: string): readonly string[] {
  return text.split(",").filter((part) => part !== "")
}

function roundsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const rounds = Number(text)
  if (Number.isInteger(rounds) && rounds > 0) return rounds
  throw new Error(`expected a whole number from 1 as --rounds, got "${text}"`)
}
