import type {
  CompiledQuery,
  DatabaseConnection,
  Dialect,
  Driver,
  PostgresAdapter,
  PostgresQueryCompiler,
  QueryResult,
} from "kysely"
import type { Database, Queryable } from "./database.ts"

/** The schema that sign-in has to itself. */
export const SIGN_IN_SCHEMA = "fleetprompt_auth"

/** What is taken of Kysely, which comes with better-auth. */
export interface KyselyParts {
  readonly PostgresAdapter: typeof PostgresAdapter
  readonly PostgresQueryCompiler: typeof PostgresQueryCompiler
}

/**
 * A Kysely dialect on a database of ours, embedded or a server. Statements outside a transaction go to the database one
 * by one; a transaction holds one of ours from its begin to its end.
 */
export function signInDialect(database: Database, kysely: KyselyParts): Dialect {
  return {
    createDriver: () => new SignInDriver(database),
    createQueryCompiler: () => new kysely.PostgresQueryCompiler(),
    createAdapter: () => new kysely.PostgresAdapter(),
    createIntrospector: () => {
      throw new Error("expected nobody to look at the schema through Kysely: its tables are made by our migrations")
    },
  }
}

class SignInDriver implements Driver {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<SignInConnection> {
    return new SignInConnection(this.#database)
  }

  beginTransaction(connection: SignInConnection): Promise<void> {
    return connection.begin()
  }

  commitTransaction(connection: SignInConnection): Promise<void> {
    return connection.end("commit")
  }

  rollbackTransaction(connection: SignInConnection): Promise<void> {
    return connection.end("rollBack")
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

/** What a transaction of ours is rolled back with when Kysely asks for that. */
const ROLLED_BACK = Symbol("rolled back")

interface OpenTransaction {
  readonly tx: Queryable
  readonly commit: () => void
  readonly rollBack: () => void
  /** Settles when it is over. */
  readonly ended: () => Promise<void>
}

class SignInConnection implements DatabaseConnection {
  readonly #database: Database
  #open: OpenTransaction | undefined

  constructor(database: Database) {
    this.#database = database
  }

  /** Begins a transaction of the database and holds it open until `end`. */
  begin(): Promise<void> {
    return new Promise((resolve, reject) => {
      const ended = this.#database.transaction(
        (tx) =>
          new Promise<void>((commit, rollBack) => {
            this.#open = { tx, ended: () => ended, commit, rollBack: () => rollBack(ROLLED_BACK) }
            resolve()
          }),
      )
      // A failure to begin is told here; one of the commit to whoever ends it.
      ended.catch(reject)
    })
  }

  async end(how: "commit" | "rollBack"): Promise<void> {
    const open = this.#open
    this.#open = undefined
    open?.[how]()
    await open?.ended().catch((error: unknown) => {
      if (error !== ROLLED_BACK) throw error
    })
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { text, counts } = countingText(query)
    // Kysely says what the rows are; the database takes that on trust as any driver does.
    const rows = (await (this.#open?.tx ?? this.#database).query(text, query.parameters)) as readonly Row[]
    return counts
      ? { rows: [], numAffectedRows: BigInt(rows.length) }
      : { rows: [...rows], numAffectedRows: BigInt(rows.length) }
  }

  // eslint-disable-next-line require-yield
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error("expected no streaming in sign-in")
  }
}

/** Our databases tell rows, not how many were changed: a change that returns nothing returns a row for each. */
function countingText({ sql, query }: CompiledQuery): { readonly text: string; readonly counts: boolean } {
  const text = `/* signIn */ ${sql}`
  const changes = query.kind === "UpdateQueryNode" || query.kind === "DeleteQueryNode"
  if (!changes || query.returning) return { text, counts: false }
  return { text: `${text} returning 1`, counts: true }
}
