import { Client } from "pg"
import type { Database } from "../../src/store/database.ts"
import { closedGate } from "../support/intercepted-database.ts"

/** Statements wait at it, in the database itself. */
export interface DatabaseGate {
  /** Resolves when one waits there. */
  readonly reached: () => Promise<void>
  readonly open: () => Promise<void>
}

/** Holds a table of a server, from a session of its own. */
export async function lockTable(connectionString: string, table: string, statement: string): Promise<DatabaseGate> {
  const client = new Client({ connectionString })
  await client.connect()
  await client.query(`begin; lock table ${table} in access exclusive mode`)
  const isReached = async (): Promise<boolean> => {
    // Within a transaction activity is otherwise shown as it was at the first look.
    await client.query("select pg_stat_clear_snapshot()")
    const { rowCount } = await client.query(
      "select from pg_stat_activity where wait_event_type = 'Lock' and query like $1",
      [`%/* ${statement} */%`],
    )
    return rowCount !== 0
  }
  const open = async (): Promise<void> => {
    await client.query("rollback")
    await client.end()
  }
  return { reached: () => until(isReached), open }
}

/** Holds the one connection of an embedded database. */
export async function holdConnection(database: Database): Promise<DatabaseGate> {
  const gate = closedGate()
  const holding = database.transaction(() => gate.pass())
  await gate.reached
  const open = async (): Promise<void> => {
    gate.open()
    await holding
  }
  return { reached: () => until(async () => database.poolUse().waiting > 0), open }
}

/** Resolves when no statement is under way or waits. */
export function quiet(database: Database): Promise<void> {
  return until(async () => {
    const { total, idle, waiting } = database.poolUse()
    return total === idle && waiting === 0
  })
}

/** Asks again and again, in turns of the loop: the test's own time ends what never comes. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}
