import { DatabaseError } from "pg"
import { FleetPromptError } from "../errors.ts"
import type { Transaction } from "./database.ts"
import type { ServerConnection } from "./server-connection.ts"

/** How long the statements of a transaction may take. */
export interface StatementLimits {
  readonly statementTimeoutMs: number
  readonly scriptTimeoutMs: number
}

/** One transaction on one connection: its statements run one after the other, in the order they were asked for. */
class ServerTransaction implements Transaction {
  readonly #connection: ServerConnection
  readonly #limits: StatementLimits
  #last: Promise<unknown> = Promise.resolve()
  #over = false

  constructor(connection: ServerConnection, limits: StatementLimits) {
    this.#connection = connection
    this.#limits = limits
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const { rows } = await this.#next(() => this.#connection.run(text, values, this.#limits.statementTimeoutMs))
    return rows
  }

  async script(text: string): Promise<void> {
    await this.#next(() => this.#connection.run(text, undefined, this.#limits.scriptTimeoutMs))
  }

  /** Lets nothing more begin and resolves when what had begun is done. */
  async end(): Promise<void> {
    this.#over = true
    await this.#last
  }

  #next<Result>(run: () => Promise<Result>): Promise<Result> {
    if (this.#over) return Promise.reject(transactionClosed())
    const result = this.#last.then(run)
    this.#last = result.catch(() => undefined)
    return result
  }
}

/** What a statement on a transaction that is over is answered with. */
export function transactionClosed(): FleetPromptError {
  return new FleetPromptError(
    "transaction_closed",
    "a statement came after its transaction had committed or rolled back; await every statement inside transaction(run)",
  )
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
    await tx.end()
    const { command } = await connection.run("commit", undefined, limits.statementTimeoutMs)
    if (command === "ROLLBACK") throw aborted()
    return result
  } catch (error) {
    await tx.end()
    await rollBack(connection, limits)
    throw error
  }
}

async function rollBack(connection: ServerConnection, limits: StatementLimits): Promise<void> {
  if (connection.broken) return
  await connection.run("rollback", undefined, limits.statementTimeoutMs).catch(() => connection.condemn())
}
