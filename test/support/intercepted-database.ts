import type { Database, Statements, Queryable, Transaction } from "../../src/store/database.ts"
import { statementName } from "../../src/store/observed-database.ts"

/** A statement on its way to the database, by the name that its text begins with. */
export interface Statement {
  readonly name: string
  readonly values: readonly unknown[]
  /** Runs it and answers with its rows. May be called never, or more than once. */
  readonly run: () => Promise<readonly object[]>
}

/** Decides what becomes of each statement: it runs, fails before or after it took effect, or waits. */
export type Intercept = (statement: Statement) => Promise<readonly object[]>

/** A database each of whose statements passes through `intercept`, inside transactions too. */
export function interceptDatabase(database: Database, intercept: Intercept): Database {
  return {
    kind: database.kind,
    hears: database.hears,
    hot: interceptStatements(database.hot, intercept),
    owner: {
      ...interceptTransaction(database.owner, intercept),
      transaction: (run, options) =>
        database.owner.transaction((tx) => run(interceptTransaction(tx, intercept)), options),
    },
    ...interceptTransaction(database, intercept),
    ...interceptStatements(database, intercept),
    transaction: (run, options) => database.transaction((tx) => run(interceptTransaction(tx, intercept)), options),
    listen: (channel, events) => database.listen(channel, events),
    poolUse: () => database.poolUse(),
    close: () => database.close(),
  }
}

function interceptTransaction(tx: Transaction, intercept: Intercept): Transaction {
  return { ...interceptQueryable(tx, intercept), script: (text) => tx.script(text) }
}

/** Statements each of which passes through `intercept`. */
export function interceptStatements(database: Statements, intercept: Intercept): Statements {
  return {
    ...interceptQueryable(database, intercept),
    of: (scopes) => interceptQueryable(database.of(scopes), intercept),
  }
}

/** Something that runs statements, each of which passes through `intercept`. */
export function interceptQueryable(queryable: Queryable, intercept: Intercept): Queryable {
  return {
    query: async <Row extends object>(text: string, values: readonly unknown[] = []) => {
      const run = (): Promise<readonly object[]> => queryable.query<Row>(text, values)
      // The rows are those of the statement, or what the test answers in their place.
      return (await intercept({ name: statementName(text), values, run })) as readonly Row[]
    },
  }
}

/** A gate that statements or handlers wait at. */
export interface Gate {
  /** Resolves when somebody came to the gate. */
  readonly reached: Promise<void>
  /** Waits until the gate is open. */
  readonly pass: () => Promise<void>
  readonly open: () => void
}

/** A gate that is closed. */
export function closedGate(): Gate {
  let arrive = (): void => {}
  let open = (): void => {}
  const reached = new Promise<void>((resolve) => (arrive = resolve))
  const opened = new Promise<void>((resolve) => (open = resolve))
  return {
    reached,
    pass: () => {
      arrive()
      return opened
    },
    open: () => open(),
  }
}
