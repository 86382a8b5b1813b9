import { setTimeout as sleep } from "node:timers/promises"
import type { ClientConfig } from "pg"
import { FleetPromptError } from "../errors.ts"
import type { ListenEvents } from "./database.ts"
import { ServerClient } from "./server-client.ts"
import { ServerConnection, type ServerAddress, unreachable } from "./server-connection.ts"
import { pauseMs } from "./server-pause.ts"
import { quoteName } from "./tenant-scope.ts"

/** The connection, and what asks it for signs of life. */
interface Line {
  readonly client: ServerClient
  readonly connection: ServerConnection
  readonly heartbeat: NodeJS.Timeout
}

/** How a listener keeps an eye on its server. */
export interface ListenerOptions {
  /** How often the server is asked for a sign of life, and how long that may take, milliseconds. Default 5,000. */
  readonly heartbeatMs?: number
  /** Is told when it gave none, or took no writes for a while: other connections may be no better. */
  readonly onDistrust?: () => void
}

/**
 * Listens for a whole process on one connection of its own.
 *
 * The channels that somebody wants are the truth; the line is there while there are any. When it
 * breaks, it is made again with growing pauses for as long as channels are wanted, and everybody who
 * listens then is told that there was a gap.
 */
export class ServerListener {
  readonly #config: ClientConfig
  readonly #address: ServerAddress
  readonly #heartbeatMs: number
  readonly #onDistrust: () => void
  readonly #channels = new Map<string, Set<ListenEvents>>()
  readonly #closing = new AbortController()
  #line: Line | undefined
  #connecting: Promise<Line> | undefined

  constructor(config: ClientConfig, address: ServerAddress, options: ListenerOptions = {}) {
    const { heartbeatMs = 5_000, onDistrust = () => {} } = options
    this.#config = config
    this.#address = address
    this.#heartbeatMs = heartbeatMs
    this.#onDistrust = onDistrust
  }

  /**
   * @throws FleetPromptError `database_unreachable`; `config_invalid` when a pooler answers, behind which nothing is heard
   */
  async listen(channel: string, events: ListenEvents): Promise<() => Promise<void>> {
    this.#listeners(channel).add(events)
    try {
      const line = await this.#connected()
      await this.#tell(line, `listen ${quoteName(channel)}`)
    } catch (error) {
      await this.#forget(channel, events)
      throw error
    }
    return () => this.#forget(channel, events)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#channels.clear()
    await this.#connecting?.catch(() => undefined)
    this.#hangUp()
  }

  #listeners(channel: string): Set<ListenEvents> {
    const listeners = this.#channels.get(channel) ?? new Set()
    this.#channels.set(channel, listeners)
    return listeners
  }

  async #forget(channel: string, events: ListenEvents): Promise<void> {
    const listeners = this.#channels.get(channel)
    if (!listeners?.delete(events) || listeners.size > 0) return
    this.#channels.delete(channel)
    if (this.#channels.size === 0) this.#hangUp()
    // When the line is broken, there is nothing to take back.
    else if (this.#line) await this.#tell(this.#line, `unlisten ${quoteName(channel)}`).catch(() => undefined)
  }

  async #tell({ connection }: Line, statement: string): Promise<void> {
    await connection.run(statement, undefined, this.#heartbeatMs)
  }

  async #connected(): Promise<Line> {
    if (this.#line) return this.#line
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined))
    return this.#connecting
  }

  async #connect(): Promise<Line> {
    const client = new ServerClient(this.#config)
    const connection = new ServerConnection(client, this.#address)
    await client.connect().catch((error: unknown) => {
      throw unreachable(this.#address, error)
    })
    await this.#checkDirect(connection)
    const heartbeat = setInterval(() => void this.#beat(), this.#heartbeatMs).unref()
    const line: Line = { client, connection, heartbeat }
    client.on("notification", ({ channel, payload }) => this.#onNotification(channel, payload ?? ""))
    client.once("end", () => void this.#onLost(line))
    this.#line = line
    await this.#listenToAll(line).catch((error: unknown) => {
      this.#hangUp()
      throw error
    })
    return line
  }

  async #checkDirect(connection: ServerConnection): Promise<void> {
    const isPooled = await connection.isPooled(this.#heartbeatMs).catch((error: unknown) => {
      connection.abandon()
      throw error
    })
    if (!isPooled) return
    connection.abandon()
    const { host, port } = this.#address
    throw new FleetPromptError(
      "config_invalid",
      `expected Postgres itself at ${host}:${port} to listen on, got a pooler, which passes no notifications on; give a direct URL as listenUrl (DATABASE_LISTEN_URL), or none`,
    )
  }

  async #listenToAll(line: Line): Promise<void> {
    const statements = [...this.#channels.keys()].map((channel) => `listen ${quoteName(channel)}`)
    if (statements.length > 0) await this.#tell(line, statements.join(";"))
  }

  async #beat(): Promise<void> {
    const line = this.#line
    if (!line) return
    await this.#tell(line, "select 1").catch(() => undefined)
    if (this.#line !== line) return
    const { client, connection } = line
    if (client.isOutdated || connection.state === "silent") this.#onDistrust()
    if (client.isOutdated || connection.state !== "sound") await this.#onLost(line)
  }

  #onNotification(channel: string, payload: string): void {
    for (const { onMessage } of this.#channels.get(channel) ?? []) onMessage(payload)
  }

  async #onLost(line: Line): Promise<void> {
    if (this.#line !== line) return
    this.#hangUp()
    await this.#reconnect()
  }

  async #reconnect(): Promise<void> {
    for (let attempt = 0; this.#channels.size > 0 && !this.#line; attempt += 1) {
      await sleep(pauseMs(attempt), undefined, { signal: this.#closing.signal }).catch(() => undefined)
      if (this.#channels.size > 0) await this.#connected().catch(() => undefined)
    }
    if (this.#line) this.#tellOfGap()
  }

  #tellOfGap(): void {
    for (const listeners of this.#channels.values()) for (const { onGap } of listeners) onGap()
  }

  #hangUp(): void {
    if (!this.#line) return
    const { connection, heartbeat } = this.#line
    this.#line = undefined
    clearInterval(heartbeat)
    connection.abandon()
  }
}
