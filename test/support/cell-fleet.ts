import type { FleetOptions } from "../../src/fleet/options.ts"
import type { Database } from "../../src/store/database.ts"
import { migrateControl } from "../../src/store/migrate.ts"
import { testDatabase, type TestDatabase } from "./test-database.ts"
import { borrowed, testFleet, type TestFleet } from "./test-fleet.ts"

/** The two empty databases of one test file. */
export interface TestCells {
  readonly main: Database
  readonly eu: Database
  readonly close: () => Promise<void>
}

/** Opens a first database and a further one, `eu`. */
export async function testCells(): Promise<TestCells> {
  const opened: readonly TestDatabase[] = [await testDatabase(), await testDatabase()]
  const [main, eu] = opened.map(({ database }) => database) as [Database, Database]
  await Promise.all([main, eu].map((database) => migrateControl(database)))
  return { main, eu, close: async () => void (await Promise.all(opened.map((each) => each.close()))) }
}

/** Starts a fleet on both; the tenant of the running test is in the first. */
export function cellFleet(
  { main, eu }: Pick<TestCells, "main" | "eu">,
  options: Omit<FleetOptions, "database" | "databases"> = {},
): Promise<TestFleet> {
  return testFleet(main, { ...options, databases: { eu: { database: borrowed(eu) } } })
}
