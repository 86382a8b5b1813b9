import type { Telemetry } from "../telemetry/telemetry.ts"
import type { Database, Statements, Queryable, Transaction } from "./database.ts"

/**
 * A database each of whose statements is a step of telemetry, called `statement`. Statements go to the
 * database as they are when nobody listens to steps.
 */
export function observeDatabase(database: Database, telemetry: Telemetry): Database {
  return {
    kind: database.kind,
    hears: database.hears,
    hot: observeStatements(database.hot, telemetry),
    owner: {
      ...observeTransaction(database.owner, telemetry),
      transaction: (run, options) =>
        database.owner.transaction((tx) => run(observeTransaction(tx, telemetry)), options),
    },
    ...observeTransaction(database, telemetry),
    ...observeStatements(database, telemetry),
    transaction: (run, options) => database.transaction((tx) => run(observeTransaction(tx, telemetry)), options),
    listen: (channel, events) => database.listen(channel, events),
    poolUse: () => database.poolUse(),
    close: () => database.close(),
  }
}

function observeStatements(statements: Statements, telemetry: Telemetry): Statements {
  return {
    ...observeQueryable(statements, telemetry),
    of: (scopes) => observeQueryable(statements.of(scopes), telemetry),
  }
}

function observeTransaction(tx: Transaction, telemetry: Telemetry): Transaction {
  return {
    ...observeQueryable(tx, telemetry),
    script: (text) => observe(telemetry, text, () => tx.script(text)),
  }
}

function observeQueryable(queryable: Queryable, telemetry: Telemetry): Queryable {
  return { query: (text, values) => observe(telemetry, text, () => queryable.query(text, values)) }
}

function observe<Result>(telemetry: Telemetry, text: string, run: () => Promise<Result>): Promise<Result> {
  if (!telemetry.hearsSpans) return run()
  return telemetry.span("statement", { statement: statementName(text) }, run)
}

const NAME = /^\s*\/\*\s*([A-Za-z]\w{0,62})\s*\*\//

/**
 * The name that a statement's text begins with, `claimDeliveries` in a comment of its own; `other` without one.
 * It is read anew each time: to look a long text up in a cache takes longer.
 */
export function statementName(text: string): string {
  return NAME.exec(text)?.[1] ?? "other"
}
