/** Runs one statement. Values are always parameters, `$1` and on. */
export interface Queryable {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
}

/** Statements that commit together or not at all. */
export interface Transaction extends Queryable {
  /** Runs several statements without parameters, for migrations. */
  script(text: string): Promise<void>
}

/** What a listener is told. */
export interface ListenEvents {
  /** A notification came. */
  readonly onMessage: (payload: string) => void
  /** Notifications may have been lost, since the connection broke and is there again. */
  readonly onGap: () => void
}

/**
 * A Postgres database, embedded or a server. `databaseContract` says how each must behave; every
 * implementation runs it.
 */
export interface Database extends Transaction {
  readonly kind: "embedded" | "server"
  /** Commits when `run` resolves, rolls back when it throws. */
  transaction<Result>(run: (tx: Transaction) => Promise<Result>): Promise<Result>
  /** Hears notifications on a channel until the returned function is called. */
  listen(channel: string, events: ListenEvents): Promise<() => Promise<void>>
  /** Lets statements under way finish, then frees everything. May be called twice. */
  close(): Promise<void>
}
