import { Pool } from "pg"

/** Rows of one kind on their way into the ledger. */
interface Queue {
  readonly waiting: { readonly row: object; readonly resolve: () => void; readonly reject: (error: unknown) => void }[]
  isUnderWay: boolean
}

/** A statement of the ledger that takes many rows, as a JSON array in $1. */
export interface LedgerStatement {
  readonly text: string
}

/** Most rows in one statement. */
const MAX_ROWS = 1_000

/**
 * Writes into the ledger over connections of its own. Rows that come while a statement of their kind is under way
 * go with the next; each caller waits until its own row is committed.
 */
export class LedgerConnection {
  readonly #pool: Pool
  readonly #queues = new Map<LedgerStatement, Queue>()

  /** @param max connections at most */
  constructor(url: string, max = 4) {
    this.#pool = new Pool({ connectionString: url, max, application_name: "faults-ledger" })
    // An idle connection that breaks is replaced; whoever writes next is told when that fails.
    this.#pool.on("error", () => {})
  }

  /** Resolves when the row is committed. */
  write(statement: LedgerStatement, row: object): Promise<void> {
    const queue = this.#queues.get(statement) ?? { waiting: [], isUnderWay: false }
    this.#queues.set(statement, queue)
    return new Promise((resolve, reject) => {
      queue.waiting.push({ row, resolve, reject })
      if (!queue.isUnderWay) void this.#flush(statement, queue)
    })
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const { rows } = await this.#pool.query<Row>(text, [...values])
    return rows
  }

  async #flush({ text }: LedgerStatement, queue: Queue): Promise<void> {
    queue.isUnderWay = true
    while (queue.waiting.length > 0) {
      const batch = queue.waiting.splice(0, MAX_ROWS)
      try {
        await this.#pool.query(text, [JSON.stringify(batch.map(({ row }) => row))])
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    queue.isUnderWay = false
  }

  /** Lets what is under way finish, and closes. */
  close(): Promise<void> {
    return this.#pool.end()
  }
}
