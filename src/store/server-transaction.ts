import { DatabaseError } from "pg"
import type { Transaction } from "./database.ts"
import type { ServerConnection } from "./server-connection.ts"
import { transactionClosed } from "./transaction-closed.ts"

/** How long the statements of a transaction may take, and how long it may do nothing between two of them, milliseconds; 0 for what the server says. */
export interface StatementLimits {
  readonly statementTimeoutMs: number
  readonly scriptTimeoutMs: number
  readonly idleTransactionMs: number
}

/** How a transaction is run. */
export interface TransactionPlan extends StatementLimits {
  /** Commands that it begins with. */
  readonly first?: string | undefined
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
  limits: TransactionPlan,
  run: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  const tx = new ServerTransaction(connection, limits)
  try {
    await connection.run(begin(limits), undefined, limits.statementTimeoutMs)
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

/**
 * A process that was cut off or stands still within a transaction would keep its locks for as long as the server
 * takes it to be there, two hours by default. It is set by a command that reads nothing, so that what comes first in
 * the transaction may still choose its isolation level.
 */
function begin({ idleTransactionMs, first }: TransactionPlan): string {
  const patience = idleTransactionMs > 0 && `set local idle_in_transaction_session_timeout = ${idleTransactionMs}`
  return ["begin", patience, first].filter(Boolean).join("; ")
}

/** Removes from a session whatever somebody else's statements may have left there: role, settings, temporary tables, locks. */
export async function forgetSession(connection: ServerConnection, limits: StatementLimits): Promise<void> {
  if (connection.state !== "sound") return
  await connection.run("discard all", undefined, limits.statementTimeoutMs).catch(() => connection.condemn())
}

/** Whether server, role or URL end idle transactions themselves. */
export async function hasIdleLimit(connection: ServerConnection, limits: StatementLimits): Promise<boolean> {
  const text = "select current_setting('idle_in_transaction_session_timeout') <> '0' as has"
  const { rows } = await connection.run(text, [], limits.statementTimeoutMs)
  const [row]: readonly { readonly has?: unknown }[] = rows
  return row?.has === true
}

async function rollBack(connection: ServerConnection, limits: StatementLimits): Promise<void> {
  if (connection.state !== "sound") return
  await connection.run("rollback", undefined, limits.statementTimeoutMs).catch(() => connection.condemn())
}
