import { Pool, type PoolClient } from "pg"
import { FleetPromptError } from "../errors.ts"
import type { Database, ListenEvents, Transaction } from "./database.ts"
import { clientConfig, serverAddress, ServerConnection, type ServerAddress, unreachable } from "./server-connection.ts"
import { ServerListener } from "./server-listener.ts"
import { inTransaction, type StatementLimits } from "./server-transaction.ts"
import { Turns } from "./turns.ts"

/** Migrations may rewrite a table. */
const SCRIPT_TIMEOUT_MS = 600_000

const IDLE_TIMEOUT_MS = 30_000
const OLDEST_SERVER = 140_000

/** How to reach a Postgres server. */
export interface ServerDatabaseSettings {
  /** `postgres://user:password@host:port/name`; a PgBouncer in transaction mode will do, but hears no notifications. */
  readonly connectionString: string
  /** Connections at most, besides the one that listens. Default: 10. */
  readonly maxConnections?: number
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
 * @throws FleetPromptError `database_unreachable`, `config_invalid`
 *
 * @example
 * const database = await openServerDatabase({ connectionString: "postgres://postgres@127.0.0.1/app" })
 * const [row] = await database.query<{ sum: number }>("select 1 + $1 as sum", [1])
 * await database.close()
 */
export async function openServerDatabase(settings: ServerDatabaseSettings): Promise<Database> {
  const database = new ServerDatabase(settings, serverAddress(settings.connectionString))
  try {
    await database.checkVersion()
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

class ServerDatabase implements Database {
  readonly kind = "server"
  readonly #address: ServerAddress
  readonly #limits: StatementLimits
  readonly #pool: Pool
  readonly #turns: Turns
  readonly #listener: ServerListener
  readonly #heardAt = new WeakMap<PoolClient, number>()
  /** When one connection did not answer, the others are not trusted either, unless they were heard of later. */
  #silentAt = Number.NEGATIVE_INFINITY
  #closed: Promise<void> | undefined

  constructor(settings: ServerDatabaseSettings, address: ServerAddress) {
    const { maxConnections: max = 10, statementTimeoutMs = 10_000, turnTimeoutMs = 10_000 } = settings
    const config = clientConfig(settings.connectionString, settings.applicationName ?? "fleetprompt")
    this.#address = address
    this.#limits = { statementTimeoutMs, scriptTimeoutMs: SCRIPT_TIMEOUT_MS }
    this.#pool = new Pool({ ...config, max, idleTimeoutMillis: IDLE_TIMEOUT_MS })
    this.#turns = new Turns(max, turnTimeoutMs, busyAdvice(max))
    this.#listener = new ServerListener(config, address)
    // Without a listener, an idle connection that breaks would end the process. The pool replaces it by itself.
    this.#pool.on("error", ignore)
    this.#pool.on("connect", (client) => client.on("error", ignore))
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const { rows } = await this.#connected((it) => it.run(text, values, this.#limits.statementTimeoutMs))
    return rows
  }

  async script(text: string): Promise<void> {
    await this.#connected((connection) => connection.run(text, undefined, this.#limits.scriptTimeoutMs))
  }

  transaction<Result>(run: (tx: Transaction) => Promise<Result>): Promise<Result> {
    return this.#connected((connection) => inTransaction(connection, this.#limits, run))
  }

  async listen(channel: string, events: ListenEvents): Promise<() => Promise<void>> {
    if (this.#closed) throw new FleetPromptError("fleet_stopped", "the database is closed; open it again to listen")
    return this.#listener.listen(channel, events)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** Connects and refuses a server that is too old. */
  async checkVersion(): Promise<void> {
    const [row] = await this.query<{ number: number; name: string }>(
      "select current_setting('server_version_num')::int as number, current_setting('server_version') as name",
    )
    if (row && row.number >= OLDEST_SERVER) return
    const { host, port } = this.#address
    throw new FleetPromptError(
      "config_invalid",
      `expected Postgres 14 or newer at ${host}:${port}, got ${row?.name}; upgrade the server or use another`,
    )
  }

  #connected<Result>(work: (connection: ServerConnection) => Promise<Result>): Promise<Result> {
    return this.#turns.run(async () => {
      const { client, connection } = await this.#checkOut()
      try {
        return await work(connection)
      } finally {
        this.#checkIn(client, connection)
      }
    })
  }

  async #checkOut(): Promise<{ readonly client: PoolClient; readonly connection: ServerConnection }> {
    for (;;) {
      const client = await this.#pool.connect().catch((error: unknown) => {
        throw unreachable(this.#address, error)
      })
      const connection = new ServerConnection(client, this.#address)
      if ((this.#heardAt.get(client) ?? Number.POSITIVE_INFINITY) > this.#silentAt) return { client, connection }
      connection.condemn()
      this.#checkIn(client, connection)
    }
  }

  #checkIn(client: PoolClient, connection: ServerConnection): void {
    connection.detach()
    if (connection.state === "sound") this.#heardAt.set(client, performance.now())
    else connection.abandon()
    if (connection.state === "silent") this.#silentAt = performance.now()
    client.release(connection.state !== "sound")
  }

  async #close(): Promise<void> {
    await Promise.all([this.#turns.close(), this.#listener.close()])
    await this.#pool.end()
  }
}

function busyAdvice(maxConnections: number): string {
  return `all ${maxConnections} connections to Postgres were busy; raise maxConnections, and inside transaction(run) use the tx it is given`
}

function ignore(): void {}
