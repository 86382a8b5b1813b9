import { FleetPromptError } from "../errors.ts"
import type { Database, ListenEvents, PoolUse, Transaction } from "./database.ts"
import { clientConfig, serverAddress } from "./server-connection.ts"
import { HotConnections } from "./server-hot.ts"
import { ServerListener } from "./server-listener.ts"
import { ServerPool } from "./server-pool.ts"
import { inTransaction, type StatementLimits } from "./server-transaction.ts"
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
  /** Shown in `pg_stat_activity`. Default: `fleetprompt`. */
  readonly applicationName?: string
  /** How long a statement may take before its connection is given up. Scripts may take 10 minutes. Default: 10,000. */
  readonly statementTimeoutMs?: number
  /** How long work may wait for one of the connections. Default: 10,000. */
  readonly turnTimeoutMs?: number
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
  if (settings.listenUrl !== undefined) serverAddress(settings.listenUrl)
  const pool = new ServerPool(complete)
  try {
    return new ServerDatabase(complete, pool, await probe(pool, complete))
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
}

type Settings = ServerDatabaseSettings & typeof DEFAULTS

function checkLimits(settings: Settings): void {
  for (const name of ["maxConnections", "hotConnections", "statementTimeoutMs", "turnTimeoutMs"] as const) {
    if (Number.isInteger(settings[name]) && settings[name] > 0) continue
    throw new FleetPromptError(
      "config_invalid",
      `expected a whole number above 0 as ${name}, got ${settings[name]}; leave it out for the default, ${DEFAULTS[name]}`,
    )
  }
}

/** Connects, refuses a server that is too old, and answers whether a pooler stands before it. */
async function probe(pool: ServerPool, { connectionString, statementTimeoutMs }: Settings): Promise<boolean> {
  return pool.run(async (connection) => {
    const { rows } = await connection.run(SELECT_VERSION, [], statementTimeoutMs)
    const [version]: readonly { readonly number?: number; readonly name?: string }[] = rows
    if ((version?.number ?? 0) >= OLDEST_SERVER) return connection.isPooled(statementTimeoutMs)
    const { host, port } = serverAddress(connectionString)
    throw new FleetPromptError(
      "config_invalid",
      `expected Postgres 14 or newer at ${host}:${port}, got ${version?.name}; upgrade the server or use another`,
    )
  })
}

const SELECT_VERSION = `/* selectVersion */
  select current_setting('server_version_num')::int as number, current_setting('server_version') as name`

class ServerDatabase implements Database {
  readonly kind = "server"
  readonly hears: boolean
  readonly hot: HotConnections
  readonly #limits: StatementLimits
  readonly #pool: ServerPool
  readonly #listener: ServerListener
  #closed: Promise<void> | undefined

  constructor(settings: Settings, pool: ServerPool, isPooled: boolean) {
    const { connectionString, listenUrl = connectionString, statementTimeoutMs, applicationName } = settings
    this.hears = !isPooled || settings.listenUrl !== undefined
    this.hot = new HotConnections({ ...settings, maxConnections: settings.hotConnections, isPooled })
    this.#limits = { statementTimeoutMs, scriptTimeoutMs: SCRIPT_TIMEOUT_MS }
    this.#pool = pool
    this.#listener = new ServerListener(clientConfig(listenUrl, applicationName), serverAddress(listenUrl))
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const { rows } = await this.#pool.run((it) => it.run(text, values, this.#limits.statementTimeoutMs))
    return rows
  }

  async script(text: string): Promise<void> {
    await this.#pool.run((connection) => connection.run(text, undefined, this.#limits.scriptTimeoutMs))
  }

  transaction<Result>(run: (tx: Transaction) => Promise<Result>): Promise<Result> {
    return this.#pool.run((connection) => inTransaction(connection, this.#limits, run))
  }

  async listen(channel: string, events: ListenEvents): Promise<() => Promise<void>> {
    if (this.#closed) throw databaseClosed()
    return this.hears ? this.#listener.listen(channel, events) : async () => {}
  }

  poolUse(): PoolUse {
    const [pool, hot] = [this.#pool.use(), this.hot.use()]
    return { total: pool.total + hot.total, idle: pool.idle + hot.idle, waiting: pool.waiting + hot.waiting }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.hot.close(), this.#listener.close()])
  }
}
