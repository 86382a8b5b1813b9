import { parseArgs } from "node:util"

/** What the command was asked for. */
export interface Options {
  readonly tenants: number
  /** Schemas migrated at once. */
  readonly concurrency: number
  /** Tenants provisioned at once. */
  readonly provisioning: number
  /** Tenants moved to another placement. */
  readonly moved: number
  /** Signals of each of those. */
  readonly signals: number
  readonly json: boolean
  /** Where a report is written, besides what is printed; empty for nowhere. */
  readonly keep: boolean
}

/** How the command is used. */
export const USAGE = `npm run bench:tenants -- [--tenants N] [--concurrency N] [--provisioning N] [--moved N] [--signals N] [--json] [--keep]

--tenants       tenants with schemas of their own (default 1000)
--concurrency   schemas migrated at once (default 4)
--provisioning  tenants provisioned at once (default 4)
--moved         tenants moved to the shared schema and back (default 5)
--signals       signals of each of those (default 2000)
--json          prints one JSON object instead of tables
--keep          writes bench/results/tenants-<date>.md; a run with 1000 tenants or more is kept anyway`

/** Reads the command line. @throws Error with what was expected. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      tenants: { type: "string", default: "1000" },
      concurrency: { type: "string", default: "4" },
      provisioning: { type: "string", default: "4" },
      moved: { type: "string", default: "5" },
      signals: { type: "string", default: "2000" },
      json: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
    },
  })
  const tenants = count("tenants", values.tenants, 2)
  return {
    tenants,
    concurrency: count("concurrency", values.concurrency, 1),
    provisioning: count("provisioning", values.provisioning, 1),
    moved: Math.min(count("moved", values.moved, 0), tenants),
    signals: count("signals", values.signals, 1),
    json: values.json,
    keep: values.keep || tenants >= 1_000,
  }
}

function count(name: string, text: string, min: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= min) return value
  throw new Error(`expected a whole number from ${min} as --${name}, got "${text}"`)
}
