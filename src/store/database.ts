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

/** What becomes of a database's connections. The one that listens is not counted. */
export interface PoolUse {
  /** Connections that are open. */
  readonly total: number
  /** Those of them that nobody uses at the moment. */
  readonly idle: number
  /** Statements and transactions that wait for one. */
  readonly waiting: number
}

/**
 * A Postgres database, embedded or a server. `databaseContract` says how each must behave; every
 * implementation runs it.
 */
export interface Database extends Transaction {
  readonly kind: "embedded" | "server"
  /**
   * For the engine's own short statements, many at once. Each is a transaction by itself: callers share
   * connections here, so that BEGIN would take in the statements of others. On a server it has a few
   * connections of its own, whose plans do not depend on statistics; see `HotConnections`.
   */
  readonly hot: Queryable
  /** Whether `listen` hears anything. It does not behind a PgBouncer without `listenUrl`: then only polling finds out. */
  readonly hears: boolean
  /** Commits when `run` resolves, rolls back when it throws. */
  transaction<Result>(run: (tx: Transaction) => Promise<Result>): Promise<Result>
  /** Hears notifications on a channel until the returned function is called; nothing where `hears` is false. */
  listen(channel: string, events: ListenEvents): Promise<() => Promise<void>>
  /** How much its connections are used right now. */
  poolUse(): PoolUse
  /** Lets statements under way finish, then frees everything. May be called twice. */
  close(): Promise<void>
}
