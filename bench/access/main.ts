import { parseArgs } from "node:util"
import { createFleet, type Fleet } from "../../src/fleet.ts"
import { openServerDatabase } from "../../src/store/server-database.ts"
import { startPostgresServer } from "../durable/postgres.ts"
import { type KeyFigures, measureKeys } from "./keys.ts"
import { type LimitFigures, measureLimits } from "./limits.ts"
import { measureRevocations, type RevocationFigures } from "./revocations.ts"

const USAGE = `npm run bench:access -- [--seconds 3] [--keys 1000] [--json]

How many API keys one process checks in a second: remembered, not remembered, wrong. How long a revoked key still works
in another process, with announcements and without. What a limit that processes share costs a request, in portions and
with a statement for each request.`

interface Results {
  readonly postgres: string
  readonly node: string
  readonly keys: KeyFigures
  readonly revocations: readonly RevocationFigures[]
  readonly limits: readonly LimitFigures[]
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "3" },
      keys: { type: "string", default: "1000" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  })
  if (values.help) return void process.stdout.write(`${USAGE}\n`)
  const seconds = Number(values.seconds)
  const server = await startPostgresServer()
  try {
    const { url } = await server.createDatabase()
    const fleets = [await openFleet(url), await openFleet(url)] as const
    const database = await openServerDatabase({ connectionString: url })
    const keys = await measureKeys(fleets[0], Number(values.keys), seconds)
    const revocations = await measureRevocations(fleets[0], fleets[1], url)
    const limits = await measureLimits(database, seconds)
    await database.close()
    await Promise.all(fleets.map((fleet) => fleet.stop()))
    const results = { postgres: server.version, node: process.version, keys, revocations, limits }
    process.stdout.write(values.json ? `${JSON.stringify(results)}\n` : textOf(results))
  } finally {
    await server.stop()
  }
}

async function openFleet(databaseUrl: string): Promise<Fleet> {
  const secret = new Uint8Array(32).fill(7)
  const fleet = createFleet({
    databaseUrl,
    worker: false,
    retention: false,
    apiKeys: { environment: "bench", peppers: [{ id: "bench", secret }], maxRemembered: 100_000 },
  })
  await fleet.start()
  return fleet
}

function textOf({ postgres, node, keys, revocations, limits }: Results): string {
  return [
    `Node ${node}, Postgres ${postgres}`,
    "",
    "| checks of keys | a second |",
    "| --- | --- |",
    ...Object.entries(keys.perSecond).map(([what, rate]) => `| ${what} | ${rate.toLocaleString("en-US")} |`),
    "",
    "| until a revoked key is out elsewhere | p50 ms | p99 ms | most ms |",
    "| --- | --- | --- | --- |",
    ...revocations.map(({ announced, p50Ms, p99Ms, maxMs }) => {
      return `| ${announced ? "announcements are heard" : "announcements are cut"} | ${p50Ms} | ${p99Ms} | ${maxMs} |`
    }),
    "",
    "| limit | processes | takes a second | statements a take | p99 ms | let through of the limit |",
    "| --- | --- | --- | --- | --- | --- |",
    ...limits.map((each) => {
      const { way, processes, perSecond, statementsPerTake, p99Ms, share } = each
      return `| ${way} | ${processes} | ${perSecond.toLocaleString("en-US")} | ${statementsPerTake} | ${p99Ms} | ${share} |`
    }),
    "",
  ].join("\n")
}

await main()
