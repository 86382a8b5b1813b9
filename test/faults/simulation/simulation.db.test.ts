import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Database } from "../../../src/store/database.ts"
import { openEmbeddedDatabase } from "../../../src/store/embedded-database.ts"
import { type Sabotage, SABOTAGES } from "./sabotage.ts"
import { simulate, type SimulationResult } from "./simulation.ts"
import { prepareStore } from "./store.ts"

const one = process.env["SIM_SEED"]
const count = one === undefined ? Number(process.env["SIM_SEEDS"] ?? 200) : 0
/** Seeds of one test. */
const CHUNK = 50
const LIMIT_MS = 600_000

interface KeptSeed {
  readonly seed: number
  readonly why: string
}

// The file holds what its own lines show.
const kept = JSON.parse(readFileSync(new URL("kept-seeds.json", import.meta.url), "utf8")) as readonly KeptSeed[]

let database: Database
beforeAll(async () => {
  // Nothing but the simulation uses it, so no vacuum comes between.
  database = await openEmbeddedDatabase({ maintainEveryMs: 2_147_483_647 })
  await prepareStore(database)
})
afterAll(() => database.close())

/** Runs seeds and fails with the first that broke a promise, with what happened in it. */
async function run(seeds: readonly number[]): Promise<void> {
  const failed: SimulationResult[] = []
  for (const seed of seeds) {
    const result = await simulate(database, seed)
    if (process.env["SIM_TRACE"]) console.log(result.trace().join("\n"))
    if (process.env["SIM_FIGURES"]) console.log(JSON.stringify({ seed, ...result.figures }))
    if (result.violations.length > 0) failed.push(result)
  }
  const [first] = failed
  if (first)
    throw new Error(
      report(
        first,
        failed.map(({ seed }) => seed),
      ),
    )
}

function report({ seed, violations, excerpt }: SimulationResult, seeds: readonly number[]): string {
  return [
    `seeds ${seeds.join(", ")} broke promises; run one alone with SIM_SEED=${seed}, and SIM_TRACE=1 for all of its trace`,
    ...violations.slice(0, 10).map(({ invariant, what }) => `${invariant}: ${what}`),
    `what happened in seed ${seed}:`,
    ...excerpt(),
  ].join("\n")
}

// It simulates a server on the embedded database, so a real one has no part in it.
describe.skipIf(process.env["TEST_DATABASE"] === "server")("the simulation", () => {
  test.runIf(one !== undefined)("one seed", { timeout: LIMIT_MS }, () => run([Number(one)]))

  test.each(one === undefined ? kept : [])("kept seed $seed: $why", ({ seed }) => run([seed]))

  for (let first = 1; first <= count; first += CHUNK) {
    const seeds = Array.from({ length: Math.min(CHUNK, count - first + 1) }, (_, at) => first + at)
    test(`seeds ${first} to ${seeds.at(-1)}`, { timeout: LIMIT_MS }, () => run(seeds))
  }

  test("a seed gives the same trace each time", { timeout: LIMIT_MS }, async () => {
    for (const seed of [3, 12]) {
      const [once, again] = [await simulate(database, seed), await simulate(database, seed)]
      expect(again.trace()).toEqual(once.trace())
    }
  })
})

/** Within so many seeds each broken engine is found. */
const WITHIN = 40

describe.skipIf(process.env["TEST_DATABASE"] === "server" || one !== undefined)("a broken engine is found", () => {
  test.each(SABOTAGES)("$name", { timeout: LIMIT_MS }, async (sabotage) => {
    const { changed, found } = await findOut(sabotage)
    if (process.env["SIM_FIGURES"]) console.log(found)
    // Otherwise the engine's statements do not say any more what was to be replaced.
    expect(changed).toBeGreaterThan(0)
    expect(found).toBeDefined()
  })
})

/** Runs seeds until one shows what is broken. */
async function findOut({ seed: first, breaks, says, alter }: Sabotage) {
  let changed = 0
  for (let seed = first; seed < first + WITHIN; seed++) {
    const change = alter()
    const { violations } = await simulate(database, seed, (statement) => {
      const altered = change(statement)
      if (altered !== statement) changed += 1
      return altered
    })
    const found = violations.find(({ invariant, what }) => breaks.includes(invariant) && (!says || says.test(what)))
    if (found) return { changed, found: `seed ${seed}, ${found.invariant}: ${found.what}` }
  }
  return { changed, found: undefined }
}
