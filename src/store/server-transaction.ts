import { DatabaseError } from "pg"
import type { Transaction } from "./database.ts"
import type { ServerConnection } from "./server-connection.ts"
import { transactionClosed } from "./transaction-closed.ts"

/** How long the statements of a transaction may take. */
export interface StatementLimits {
  readonly statementTimeoutMs: number
  readonly scriptTimeoutMs: number
}

/** One transaction on one connection, which runs its statements in the order they were asked for. */
class ServerTransaction implements Transaction {
  readonly #connection: ServerConnection
  readonly #limits: StatementLimits
  #isOver = false

  constructor(connection: ServerConnection, limits: StatementLimits) {
    this.#connection = connection
    this.#limits = limits
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    if (this.#isOver) throw transactionClosed()
    const { rows } = await this.#connection.run(text, values, this.#limits.statementTimeoutMs)
    return rows
  }

  async script(text: string): Promise<void> {
    if (this.#isOver) throw transactionClosed()
    await this.#connection.run(text, undefined, this.#limits.scriptTimeoutMs)
  }

  /** Takes no more statements. */
  end(): void {
    this.#isOver = true
  }
}

/** What `commit` throws when a statement had failed and `run` hid that: Postgres rolls back then, and says so only softly. */
function aborted(): Error {
  const error = new DatabaseError("the transaction was rolled back instead of committed", 0, "error")
  error.severity = "ERROR"
  error.code = "25P02"
  return error
}

/** Runs `run` between BEGIN and COMMIT on a connection; condemns the connection when it cannot be rolled back. */
export async function inTransaction<Result>(
  connection: ServerConnection,
  limits: StatementLimits,
  run: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  const tx = new ServerTransaction(connection, limits)
  await connection.run("begin", undefined, limits.statementTimeoutMs)
  try {
    const result = await run(tx)
    tx.end()
    const { command } = await connection.run("commit", undefined, limits.statementTimeoutMs)
    if (command === "ROLLBACK") throw aborted()
    return result
  } catch (error) {
    tx.end()
    await rollBack(connection, limits)
    throw error
  }
}

async function rollBack(connection: ServerConnection, limits: StatementLimits): Promise<void> {
  if (connection.state !== "sound") return
  await connection.run("rollback", undefined, limits.statementTimeoutMs).catch(() => connection.condemn())
}
