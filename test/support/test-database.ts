import { inject } from "vitest"
import type { Database } from "../../src/store/database.ts"
import { openEmbeddedDatabase } from "../../src/store/embedded-database.ts"
import { openServerDatabase } from "../../src/store/server-database.ts"

/** An empty database of one test file's own. */
export interface TestDatabase {
  readonly database: Database
  readonly close: () => Promise<void>
}

/**
 * Opens an empty database: embedded in memory, or with TEST_DATABASE=server on a real server. One for a
 * test file is enough, since each test has a tenant of its own.
 */
export async function testDatabase(): Promise<TestDatabase> {
  const database = await open()
  return { database, close: () => database.close() }
}

async function open(): Promise<Database> {
  if (process.env["TEST_DATABASE"] !== "server") return openEmbeddedDatabase()
  return openServerDatabase({ connectionString: await serverDatabaseUrl() })
}

/**
 * Creates an empty database on a real server, whatever TEST_DATABASE says; it is removed after the run.
 *
 * @returns its URL
 */
export async function serverDatabaseUrl(): Promise<string> {
  const response = await fetch(inject("testDatabasesService"), { method: "POST" })
  const answer = await response.text()
  if (!response.ok) throw new Error(`no test database could be created: ${answer}`)
  return answer
}
