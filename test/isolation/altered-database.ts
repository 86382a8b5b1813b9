import type { Database, Queryable, Statements, Transaction } from "../../src/store/database.ts"

/** Changes a statement's text on its way. */
export type Alter = (text: string) => string

/** A database whose statements are changed on their way, to plant holes. */
export function alteredDatabase(database: Database, alter: Alter): Database {
  return {
    kind: database.kind,
    hears: database.hears,
    hot: alterStatements(database.hot, alter),
    owner: database.owner,
    script: (text) => database.script(text),
    ...alterStatements(database, alter),
    transaction: (run, options) => database.transaction((tx) => run(alterTransaction(tx, alter)), options),
    listen: (channel, events) => database.listen(channel, events),
    poolUse: () => database.poolUse(),
    close: () => database.close(),
  }
}

function alterTransaction(tx: Transaction, alter: Alter): Transaction {
  return { ...alterQueryable(tx, alter), script: (text) => tx.script(text) }
}

function alterStatements(statements: Statements, alter: Alter): Statements {
  return { ...alterQueryable(statements, alter), of: (scopes) => alterQueryable(statements.of(scopes), alter) }
}

function alterQueryable(queryable: Queryable, alter: Alter): Queryable {
  return { query: (text, values) => queryable.query(alter(text), values) }
}
