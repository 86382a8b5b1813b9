import { FleetPromptError } from "../errors.ts"
import type { Queryable } from "./database.ts"

/** A client of `pg` inside BEGIN, or a transaction of PGlite. */
interface PgTransaction {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** A transaction of Kysely. */
interface KyselyTransaction {
  executeQuery(query: never): Promise<{ rows: unknown[] }>
}

/** A transaction of Drizzle on a Postgres driver. */
interface DrizzleTransaction {
  execute(query: never): PromiseLike<unknown>
}

/**
 * A transaction that the caller has open: a `pg` client after BEGIN, a transaction of Kysely or of
 * Drizzle, or one that `fleet.transaction` gave. Whoever opened it commits it.
 */
export type JoinableTransaction = PgTransaction | KyselyTransaction | DrizzleTransaction | Queryable

/**
 * Makes one face for the transactions of the libraries that can be joined, told apart by their methods.
 *
 * @throws FleetPromptError `transaction_unsupported`
 */
export function joinTransaction(tx: JoinableTransaction): Queryable {
  if (hasMethod(tx, "executeQuery")) return kyselyQueryable(tx)
  if (hasMethod(tx, "execute")) return drizzleQueryable(tx)
  if (hasMethod(tx, "query")) return pgQueryable(tx)
  throw new FleetPromptError(
    "transaction_unsupported",
    "expected a pg client, a Kysely, Drizzle or PGlite transaction, or one of fleet.transaction as tx, got something else; pass the transaction object itself",
  )
}

type Method = (...args: readonly unknown[]) => Promise<unknown>

function hasMethod<Name extends string>(value: unknown, name: Name): value is Record<Name, Method> {
  return typeof value === "object" && value !== null && name in value && typeof Reflect.get(value, name) === "function"
}

function pgQueryable(tx: Record<"query", Method>): Queryable {
  return { query: async (text, values = []) => rowsOf(await tx.query(text, [...values])) }
}

/** Kysely takes any compiled query; `RawNode` is the kind whose text it does not look into. */
function kyselyQueryable(tx: Record<"executeQuery", Method>): Queryable {
  return {
    query: async (sql, parameters = []) => {
      const query = { kind: "RawNode", sqlFragments: [sql], parameters: [] }
      return rowsOf(await tx.executeQuery({ sql, parameters, query, queryId: { queryId: crypto.randomUUID() } }))
    },
  }
}

/** Drizzle takes its own `sql` objects, so its library is loaded: whoever has its transaction has it installed. */
function drizzleQueryable(tx: Record<"execute", Method>): Queryable {
  return {
    query: async (text, values = []) => {
      const { sql } = await import("drizzle-orm")
      const chunks = text.split(/(\$\d+)/).map((part) => {
        return /^\$\d+$/.test(part) ? sql.param(values[Number(part.slice(1)) - 1]) : sql.raw(part)
      })
      return rowsOf(await tx.execute(sql.join(chunks)))
    },
  }
}

/** Drivers answer with an object that has rows, or with the rows themselves. */
function rowsOf<Row>(result: unknown): readonly Row[] {
  if (Array.isArray(result)) return result
  // The statement's author names the row type; the driver's answer is the rows it asked for.
  if (typeof result === "object" && result !== null && "rows" in result) return result.rows as readonly Row[]
  throw new FleetPromptError(
    "transaction_unsupported",
    "expected rows from the transaction passed as tx, got something else; use a Postgres driver",
  )
}
