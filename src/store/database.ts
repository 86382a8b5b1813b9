import type { TenantScope } from "./tenant-scope.ts"

/** Runs one statement. Values are always parameters, `$1` and on. */
export interface Queryable {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
}

/** Statements that commit together or not at all. */
export interface Transaction extends Queryable {
  /** Runs several statements without parameters, for migrations. */
  script(text: string): Promise<void>
}

/**
 * In whose name statements run, see `sql/control/0002_walls.sql`.
 * login: whoever signed in; engine: the platform, which sees its own tables, and of tenants' tables no contents;
 * tenants: the rows of these alone.
 */
export type DatabaseRole = "login" | "engine" | { readonly tenants: readonly TenantScope[] }

/** What a transaction is run with. */
export interface TransactionOptions {
  /** In whose name. Default: the one in which the database runs its other statements. */
  readonly role?: DatabaseRole
  /** How long it may do nothing between two statements before a server ends it, milliseconds. Default 10,000. */
  readonly idleMs?: number
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

/** Runs statements, each a transaction by itself. */
export interface Statements extends Queryable {
  /** For statements each of which sees the rows of these tenants alone. */
  of(scopes: readonly TenantScope[]): Queryable
}

/** The database in the name of a login that owns the schemas: for migrations and what makes or removes schemas. */
export interface OwnerDatabase extends Transaction {
  /** Commits when `run` resolves. Rows of all tenants are open to it. */
  transaction<Result>(run: (tx: Transaction) => Promise<Result>, options?: OwnerTransactionOptions): Promise<Result>
}

/** What a transaction of the owner's is run with. */
export type OwnerTransactionOptions = Omit<TransactionOptions, "role">

/**
 * A Postgres database, embedded or a server. `databaseContract` says how each must behave; every
 * implementation runs it.
 */
export interface Database extends Transaction, Statements {
  readonly kind: "embedded" | "server"
  /**
   * For the engine's own short statements, many at once. Each is a transaction by itself: callers share
   * connections here, so that BEGIN would take in the statements of others. On a server it has a few
   * connections of its own, whose plans do not depend on statistics; see `HotConnections`.
   */
  readonly hot: Statements
  /** In the name of the schemas' owner. */
  readonly owner: OwnerDatabase
  /** Whether `listen` hears anything. It does not behind a PgBouncer without `listenUrl`: then only polling finds out. */
  readonly hears: boolean
  /** Commits when `run` resolves, rolls back when it throws. */
  transaction<Result>(run: (tx: Transaction) => Promise<Result>, options?: TransactionOptions): Promise<Result>
  /** Hears notifications on a channel until the returned function is called; nothing where `hears` is false. */
  listen(channel: string, events: ListenEvents): Promise<() => Promise<void>>
  /** How much its connections are used right now. */
  poolUse(): PoolUse
  /** Lets statements under way finish, then frees everything. May be called twice. */
  close(): Promise<void>
}
