import { createHash } from "node:crypto"
import type { ClientConfig } from "pg"
import type { DatabaseRole, Statements, PoolUse, Queryable } from "./database.ts"
import type { ServerClient } from "./server-client.ts"
import { clientConfig, serverAddress, type ServerAddress, unreachable } from "./server-connection.ts"
import { connectHot, HotConnection, type HotStatement } from "./server-hot-connection.ts"
import { pauseMs } from "./server-pause.ts"
import type { TenantScope } from "./tenant-scope.ts"
import { databaseBusy, databaseClosed } from "./turns.ts"

/** Which connections there are for hot statements, and how long things may take. */
export interface HotSettings {
  readonly connectionString: string
  readonly applicationName: string
  readonly maxConnections: number
  readonly statementTimeoutMs: number
  readonly turnTimeoutMs: number
  /** Whether a pooler in transaction mode stands before the server. */
  readonly isPooled: boolean
  /** In whose name statements run. Default: the login's. */
  readonly role?: "engine" | undefined
  /** Is told when a connection did not answer or its server took no writes for a while: so it may be with others. */
  readonly onDistrust?: () => void
}

/** Statements under way on one connection. */
const DEPTH = 16

/** A connection with fewer under way takes anything. */
const BUSY = 2
/** How many more than the least busy one a connection may have, to get a statement that it has prepared. */
const NEAR = 8

/** Connections that nobody used for so long are closed. */
const IDLE_TIMEOUT_MS = 30_000

/** Texts of which the name is remembered; those of many tenants' schemas are many. */
const MAX_NAMES = 8_192

/**
 * A few connections that many statements share, for the engine's own short ones: several are under way on
 * a connection at once, as prepared statements, with plans that do not depend on statistics. Behind a
 * pooler it is one at a time and nothing prepared, since the next statement may come to another session.
 *
 * A statement goes to the connection with the fewest under way, or near it to one that has prepared it. A further connection is opened when each
 * has one, and beyond the depth of all callers wait in order. Time is counted in ticks by one timer: a
 * process that was busy itself for a while does not take the server for silent.
 */
export class HotConnections implements Statements {
  readonly #settings: HotSettings
  readonly #address: ServerAddress
  readonly #config: ClientConfig
  readonly #depth: number
  readonly #tickMs: number
  readonly #names = new Map<string, string>()
  #connections: readonly HotConnection[] = []
  readonly #waiting = new Set<HotStatement>()
  #tick = 0
  #ticker: NodeJS.Timeout | undefined
  #opening: Promise<void> | undefined
  /** Runs while no connection is to be opened, since one failed or broke. */
  #pause: NodeJS.Timeout | undefined
  #failures = 0
  #closed: Promise<void> | undefined
  #onIdle: (() => void) | undefined

  /** @throws FleetPromptError `config_invalid` */
  constructor(settings: HotSettings) {
    this.#settings = settings
    this.#address = serverAddress(settings.connectionString)
    this.#config = clientConfig(settings.connectionString, settings.applicationName)
    this.#depth = settings.isPooled ? 1 : DEPTH
    this.#tickMs = Math.min(1_000, Math.max(5, Math.min(settings.statementTimeoutMs, settings.turnTimeoutMs) / 10))
  }

  /**
   * @throws what Postgres answered, with its `code`; FleetPromptError `database_busy`,
   * `database_connection_lost`, `database_unreachable`, `fleet_stopped`
   */
  query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    // A session behind a pooler cannot keep a role, so each statement takes it.
    return this.#run(text, values, this.#settings.isPooled ? this.#settings.role : undefined)
  }

  of(tenants: readonly TenantScope[]): Queryable {
    return { query: (text, values = []) => this.#run(text, values, { tenants }) }
  }

  #run<Row extends object>(
    text: string,
    values: readonly unknown[],
    role: DatabaseRole | undefined,
  ): Promise<readonly Row[]> {
    if (this.#closed) return Promise.reject(databaseClosed())
    return new Promise((resolve, reject) => {
      this.#place({ text, values, role, name: this.#nameOf(text), since: this.#tick, resolve, reject })
    })
  }

  use(): PoolUse {
    const idle = this.#connections.filter(({ load }) => load === 0).length
    return { total: this.#connections.length, idle, waiting: this.#waiting.size }
  }

  /** Replaces the connections on which nothing is under way: nobody knows whether they still lead anywhere. */
  distrust(): void {
    const doubt = new Error("another connection did not answer")
    for (const each of this.#connections) if (each.load === 0) each.lose(doubt)
  }

  /** Refuses new statements, lets finish what is under way and waits, then closes the connections. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
      this.#checkIdle()
    })
    clearTimeout(this.#pause)
    clearInterval(this.#ticker)
    await this.#opening
    await Promise.all(this.#connections.map((connection) => connection.end()))
    this.#connections = []
  }

  #nameOf(text: string): string | undefined {
    if (this.#settings.isPooled) return undefined
    const known = this.#names.get(text)
    if (known !== undefined) return known
    const name = createHash("sha256").update(text).digest("base64url").slice(0, 22)
    if (this.#names.size >= MAX_NAMES)
      for (const oldest of this.#names.keys()) {
        this.#names.delete(oldest)
        break
      }
    this.#names.set(text, name)
    return name
  }

  #place(statement: HotStatement): void {
    const connection = this.#waiting.size === 0 ? this.#choose(statement) : undefined
    if (connection) connection.send(statement, this.#tick)
    else this.#waiting.add(statement)
    if (!connection || connection.load > 1) this.#grow()
  }

  /** While all are busy, one that has prepared the statement: the schemas of many tenants divide themselves over the connections. */
  #choose({ name }: HotStatement): HotConnection | undefined {
    const least = this.#leastBusy()
    if (!least || name === undefined || least.load < BUSY || least.knows(name)) return least
    const most = Math.min(this.#depth - 1, least.load + NEAR)
    return this.#connections.find((each) => !each.isDraining && each.load <= most && each.knows(name)) ?? least
  }

  #leastBusy(): HotConnection | undefined {
    let least: HotConnection | undefined
    for (const connection of this.#connections) {
      if (connection.isDraining || connection.load >= (least?.load ?? this.#depth)) continue
      least = connection
    }
    return least
  }

  #grow(): void {
    this.#ticker ??= setInterval(() => this.#onTick(), this.#tickMs).unref()
    if (this.#opening || this.#pause || this.#connections.length >= this.#settings.maxConnections) return
    this.#opening = this.#open().finally(() => {
      this.#opening = undefined
      if (this.#waiting.size > 0) this.#grow()
    })
  }

  async #open(): Promise<void> {
    try {
      this.#add(await connectHot(this.#config, this.#settings))
    } catch (error) {
      if (this.#connections.length === 0) this.#refuseWaiting(error)
      this.#waitBeforeOpening()
    }
  }

  #add(client: ServerClient): void {
    const connection = new HotConnection(client, this.#address, {
      onFree: (it) => this.#onFree(it),
      onLost: (it) => this.#onLost(it),
    })
    this.#connections = [...this.#connections, connection]
    this.#pump()
  }

  #pump(): void {
    for (const statement of this.#waiting) {
      const connection = this.#choose(statement)
      if (!connection) return
      this.#waiting.delete(statement)
      connection.send(statement, this.#tick)
    }
  }

  #onFree(connection: HotConnection): void {
    this.#failures = 0
    if (connection.isDraining && connection.load === 0) this.#retire(connection)
    if (this.#waiting.size > 0) this.#pump()
    if (this.#onIdle) this.#checkIdle()
  }

  #onLost(connection: HotConnection): void {
    this.#remove(connection)
    this.#waitBeforeOpening()
    if (this.#waiting.size > 0) this.#pump()
    if (this.#onIdle) this.#checkIdle()
  }

  #retire(connection: HotConnection): void {
    this.#remove(connection)
    void connection.end()
    if (this.#waiting.size > 0) this.#grow()
  }

  #remove(connection: HotConnection): void {
    this.#connections = this.#connections.filter((each) => each !== connection)
  }

  /** Whoever waits learns why there is no connection; who comes later waits for the next try. */
  #refuseWaiting(cause: unknown): void {
    for (const { reject } of this.#waiting) reject(unreachable(this.#address, cause))
    this.#waiting.clear()
    if (this.#onIdle) this.#checkIdle()
  }

  #waitBeforeOpening(): void {
    this.#pause ??= setTimeout(
      () => {
        this.#pause = undefined
        if (this.#waiting.size > 0) this.#grow()
      },
      pauseMs(this.#failures++),
    )
  }

  #checkIdle(): void {
    if (this.#waiting.size === 0 && this.#connections.every(({ load }) => load === 0)) this.#onIdle?.()
  }

  #onTick(): void {
    this.#tick += 1
    this.#refuseLate()
    for (const connection of this.#connections) this.#look(connection)
    this.#leaveOutdated()
    this.#drainWorn()
    if (this.#connections.length > 0 || this.#waiting.size > 0 || this.#opening) return
    clearInterval(this.#ticker)
    this.#ticker = undefined
  }

  #refuseLate(): void {
    const { turnTimeoutMs, maxConnections } = this.#settings
    for (const statement of this.#waiting) {
      if (!this.#isLonger(statement.since, turnTimeoutMs)) return
      this.#waiting.delete(statement)
      statement.reject(databaseBusy(turnTimeoutMs, busyAdvice(maxConnections)))
    }
  }

  #look(connection: HotConnection): void {
    const { statementTimeoutMs } = this.#settings
    const { waitsSince, usedAt } = connection
    if (waitsSince === undefined) {
      if (this.#isLonger(usedAt, IDLE_TIMEOUT_MS)) this.#retire(connection)
    } else if (this.#isLonger(waitsSince, statementTimeoutMs)) {
      const silence = new Error(`no answer within ${statementTimeoutMs} ms`)
      connection.lose(silence)
      // What swallowed this one's answer may have swallowed the others.
      this.distrust()
      this.#settings.onDistrust?.()
    }
  }

  /** One was told by its server; the others may not have asked theirs anything for long. */
  #leaveOutdated(): void {
    if (!this.#connections.some(({ isOutdated }) => isOutdated)) return
    for (const each of this.#connections) this.#drain(each)
    this.#settings.onDistrust?.()
  }

  /** One at a time, so that the others are there meanwhile. */
  #drainWorn(): void {
    if (this.#connections.some(({ isDraining }) => isDraining)) return
    const worn = this.#connections.find(({ isWorn }) => isWorn)
    if (worn) this.#drain(worn)
  }

  #drain(connection: HotConnection): void {
    connection.drain()
    if (connection.load === 0) this.#retire(connection)
  }

  #isLonger(sinceTick: number, limitMs: number): boolean {
    return (this.#tick - sinceTick - 1) * this.#tickMs >= limitMs
  }
}

function busyAdvice(maxConnections: number): string {
  return `all ${maxConnections} hot connections to Postgres were busy; raise hotConnections, or run fewer handlers at once`
}
