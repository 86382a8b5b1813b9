import { FleetPromptError } from "../errors.ts"
import type {
  Database,
  ListenEvents,
  OwnerDatabase,
  PoolUse,
  Queryable,
  Transaction,
  TransactionOptions,
} from "./database.ts"
import { sessionRole, TAKE_OWNERSHIP, takeRole } from "./roles.ts"
import { clientConfig, serverAddress } from "./server-connection.ts"
import { HotConnections } from "./server-hot.ts"
import { ServerListener } from "./server-listener.ts"
import { ServerPool } from "./server-pool.ts"
import { forgetSession, hasIdleLimit, inTransaction, type StatementLimits } from "./server-transaction.ts"
import type { TenantScope } from "./tenant-scope.ts"
import { databaseClosed } from "./turns.ts"

/** Migrations may rewrite a table. */
const SCRIPT_TIMEOUT_MS = 600_000

const OLDEST_SERVER = 140_000

/** How to reach a Postgres server. */
export interface ServerDatabaseSettings {
  /** `postgres://user:password@host:port/name`, of the server or of a PgBouncer in transaction mode before it. */
  readonly connectionString: string
  /**
   * Where to listen for notifications when `connectionString` leads to a pooler, which passes none on: the
   * same database, directly. Default: `connectionString`; behind a pooler nothing is heard then.
   */
  readonly listenUrl?: string
  /** Connections at most, besides the hot ones and the one that listens. Default: 10. */
  readonly maxConnections?: number
  /** Connections at most for the engine's own short statements. Default: 10. */
  readonly hotConnections?: number
  /**
   * A login that owns the schemas, for `owner`: the same database directly. Default: `connectionString`. It has up to
   * `maxConnections` connections of its own, opened as they are needed.
   */
  readonly ownerUrl?: string
  /**
   * engine: statements run as `fleetprompt_engine` where nothing else is said, so that the login's own rights are not
   * used; the role must be there by the first statement. login: they run as whoever signed in, the default.
   */
  readonly role?: "login" | "engine"
  /** Shown in `pg_stat_activity`. Default: `fleetprompt`. */
  readonly applicationName?: string
  /** How long a statement may take before its connection is given up. Scripts may take 10 minutes. Default: 10,000. */
  readonly statementTimeoutMs?: number
  /** How long work may wait for one of the connections. Default: 10,000. */
  readonly turnTimeoutMs?: number
  /** How long a transaction may do nothing between two statements before the server ends it. Default: 10,000. */
  readonly idleTransactionMs?: number
}

/**
 * Opens a pool of connections to a Postgres server, 14 or newer, and proves that it answers.
 *
 * Rows hold the same values as the embedded database's: numbers for `int2`, `int4` and floats, a number
 * for `int8` that fits into one safely and a bigint beyond, booleans, parsed JSON, a `Date` for
 * `timestamptz`, arrays of these, and text for every other type. Parameters may be strings, numbers,
 * bigints, booleans, null, Dates, and arrays of these; pass JSON as text with `$1::text::jsonb`.
 *
 * Every call ends: a statement is given up after `statementTimeoutMs`, connecting after 5 seconds,
 * waiting for a free connection after `turnTimeoutMs`. Broken connections are replaced, never reused.
 *
 * Whether a pooler stands before the server is found out here, and nothing is kept in a session then.
 *
 * @throws FleetPromptError `database_unreachable`, `config_invalid`
 *
 * @example
 * const database = await openServerDatabase({ connectionString: "postgres://postgres@127.0.0.1/app" })
 * const [row] = await database.query<{ sum: number }>("select 1 + $1 as sum", [1])
 * await database.close()
 */
export async function openServerDatabase(settings: ServerDatabaseSettings): Promise<Database> {
  const complete = { ...DEFAULTS, ...settings }
  checkLimits(complete)
  for (const url of [settings.listenUrl, settings.ownerUrl]) if (url !== undefined) serverAddress(url)
  let database: ServerDatabase | undefined
  // Roles may not be there yet, so it is asked in nobody's name but the login's.
  const pool = new ServerPool({ ...complete, onDistrust: () => database?.distrust() })
  try {
    database = new ServerDatabase(complete, pool, await probe(pool, complete))
    return database
  } catch (error) {
    await pool.close()
    throw error
  }
}

const DEFAULTS = {
  applicationName: "fleetprompt",
  maxConnections: 10,
  hotConnections: 10,
  statementTimeoutMs: 10_000,
  turnTimeoutMs: 10_000,
  idleTransactionMs: 10_000,
}

type Settings = ServerDatabaseSettings & typeof DEFAULTS

const LIMITS = ["maxConnections", "hotConnections", "statementTimeoutMs", "turnTimeoutMs", "idleTransactionMs"] as const

function checkLimits(settings: Settings): void {
  for (const name of LIMITS) {
    if (Number.isInteger(settings[name]) && settings[name] > 0) continue
    throw new FleetPromptError(
      "config_invalid",
      `expected a whole number above 0 as ${name}, got ${settings[name]}; leave it out for the default, ${DEFAULTS[name]}`,
    )
  }
}

/** What is found out about a server before it is used. */
interface Probed {
  /** Whether a pooler stands before it. */
  readonly isPooled: boolean
  /** Where the login finds names without a schema, as SQL. */
  readonly searchPath: string
}

/** Connects, refuses a server that is too old, and looks at what is there. */
async function probe(pool: ServerPool, { connectionString, statementTimeoutMs }: Settings): Promise<Probed> {
  return pool.run(async (connection) => {
    const { rows } = await connection.run(SELECT_VERSION, [], statementTimeoutMs)
    const [version]: readonly { readonly number?: number; readonly name?: string; readonly path?: string }[] = rows
    if ((version?.number ?? 0) >= OLDEST_SERVER)
      return { isPooled: await connection.isPooled(statementTimeoutMs), searchPath: version?.path || "''" }
    const { host, port } = serverAddress(connectionString)
    throw new FleetPromptError(
      "config_invalid",
      `expected Postgres 14 or newer at ${host}:${port}, got ${version?.name}; upgrade the server or use another`,
    )
  })
}

const SELECT_VERSION = `/* selectVersion */
  select current_setting('server_version_num')::int as number, current_setting('server_version') as name,
    current_setting('search_path') as path`

class ServerDatabase implements Database {
  readonly kind = "server"
  readonly hears: boolean
  readonly hot: HotConnections
  readonly owner: OwnerDatabase
  readonly #limits: StatementLimits
  readonly #role: "engine" | undefined
  readonly #isPooled: boolean
  /** What a transaction in the name of the login begins with: its sessions begin with another role and path. */
  readonly #asLogin: string
  /** Whether server, role or URL end idle transactions themselves; asked once. */
  #hasIdleLimit: boolean | undefined
  readonly #pool: ServerPool
  readonly #ownerPool: ServerPool
  /** Each once. */
  readonly #pools: ReadonlySet<ServerPool>
  readonly #listener: ServerListener
  #closed: Promise<void> | undefined

  /** @param loginPool connections in the name of the login. */
  constructor(settings: Settings, loginPool: ServerPool, { isPooled, searchPath }: Probed) {
    const { connectionString, listenUrl = connectionString, ownerUrl, applicationName } = settings
    const { statementTimeoutMs, idleTransactionMs } = settings
    this.hears = !isPooled || settings.listenUrl !== undefined
    this.#isPooled = isPooled
    this.#asLogin = `${takeRole("login")}; set local search_path = ${searchPath}`
    this.#role = settings.role === "engine" ? "engine" : undefined
    const onDistrust = (): void => this.distrust()
    const hot = { ...settings, maxConnections: settings.hotConnections, isPooled, role: this.#role, onDistrust }
    this.hot = new HotConnections(hot)
    this.#limits = { statementTimeoutMs, scriptTimeoutMs: SCRIPT_TIMEOUT_MS, idleTransactionMs }
    const session = this.#role && !isPooled ? { enforced: sessionRole(this.#role) } : undefined
    this.#pool = session ? new ServerPool({ ...settings, session, onDistrust }) : loginPool
    const owns = { ...settings, connectionString: ownerUrl ?? connectionString, onDistrust }
    this.#ownerPool = ownerUrl === undefined ? loginPool : new ServerPool(owns)
    this.#pools = new Set([loginPool, this.#pool, this.#ownerPool])
    this.owner = this.#ownerOf(this.#ownerPool)
    const config = clientConfig(listenUrl, applicationName)
    this.#listener = new ServerListener(config, serverAddress(listenUrl), { onDistrust })
  }

  /** One connection turned out to lead nowhere, or to a server that another has taken over from: idle ones may as well. */
  distrust(): void {
    for (const each of [...this.#pools, this.hot]) each.distrust()
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    if (this.#role && this.#isPooled) return this.transaction((tx) => tx.query<Row>(text, values))
    return this.#query(this.#pool, text, values)
  }

  of(tenants: readonly TenantScope[]): Queryable {
    const role = { tenants }
    return { query: (text, values) => this.transaction((tx) => tx.query(text, values), { role }) }
  }

  script(text: string): Promise<void> {
    return this.#script(this.#pool, text)
  }

  transaction<Result>(
    run: (tx: Transaction) => Promise<Result>,
    { idleMs, role = this.#isPooled ? this.#role : undefined }: TransactionOptions = {},
  ): Promise<Result> {
    const first = role === "login" ? this.#asLogin : role && takeRole(role)
    const work = { idleMs, first, isForeign: role === "login" }
    return this.#transaction(this.#pool, work, run)
  }

  async listen(channel: string, events: ListenEvents): Promise<() => Promise<void>> {
    if (this.#closed) throw databaseClosed()
    return this.hears ? this.#listener.listen(channel, events) : async () => {}
  }

  poolUse(): PoolUse {
    const uses = [...this.#pools, this.hot].map((each) => each.use())
    const sum = (of: keyof PoolUse): number => uses.reduce((all, use) => all + use[of], 0)
    return { total: sum("total"), idle: sum("idle"), waiting: sum("waiting") }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#pools, this.hot, this.#listener].map((each) => each.close()))
  }

  #ownerOf(pool: ServerPool): OwnerDatabase {
    const transaction: OwnerDatabase["transaction"] = (run, { idleMs } = {}) =>
      this.#transaction(pool, { idleMs, first: TAKE_OWNERSHIP }, run)
    return {
      query: (text, values) => transaction((tx) => tx.query(text, values)),
      script: (text) => this.#script(pool, text),
      transaction,
    }
  }

  async #query<Row extends object>(
    pool: ServerPool,
    text: string,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    const { rows } = await pool.run((it) => it.run(text, values, this.#limits.statementTimeoutMs))
    return rows
  }

  async #script(pool: ServerPool, text: string): Promise<void> {
    await pool.run((connection) => connection.run(text, undefined, this.#limits.scriptTimeoutMs))
  }

  #transaction<Result>(
    pool: ServerPool,
    { idleMs = this.#limits.idleTransactionMs, first, isForeign = false }: TransactionWork,
    run: (tx: Transaction) => Promise<Result>,
  ): Promise<Result> {
    return pool.run(async (connection) => {
      this.#hasIdleLimit ??= await hasIdleLimit(connection, this.#limits)
      const limits = { ...this.#limits, idleTransactionMs: this.#hasIdleLimit ? 0 : idleMs }
      try {
        return await inTransaction(connection, { ...limits, first }, run)
      } finally {
        if (isForeign && !this.#isPooled) await forgetSession(connection, limits)
      }
    })
  }
}

/** What a transaction is run with. */
interface TransactionWork {
  readonly idleMs: number | undefined
  /** What it begins with. */
  readonly first: string | undefined
  /** Whether statements of the user's own are run in it, which may leave something behind in the session. */
  readonly isForeign?: boolean
}
