import { Pool, type PoolClient } from "pg"
import type { PoolUse } from "./database.ts"
import { ServerClient, type SessionOptions } from "./server-client.ts"
import { clientConfig, serverAddress, ServerConnection, type ServerAddress, unreachable } from "./server-connection.ts"
import { Turns } from "./turns.ts"

const IDLE_TIMEOUT_MS = 30_000

/** Which connections a pool holds. */
export interface ServerPoolSettings {
  readonly connectionString: string
  readonly applicationName: string
  readonly maxConnections: number
  readonly turnTimeoutMs: number
  /** Settings that its sessions begin with. */
  readonly session?: SessionOptions | undefined
  /** Is told when a connection did not answer or its server took no writes for a while: so it may be with others. */
  readonly onDistrust: () => void
}

/** Connections for work that needs one to itself: transactions, and statements that may take long. */
export class ServerPool {
  readonly #address: ServerAddress
  readonly #pool: Pool
  readonly #turns: Turns
  readonly #heardAt = new WeakMap<PoolClient, number>()
  readonly #onDistrust: () => void
  #distrustAt = Number.NEGATIVE_INFINITY

  /** @throws FleetPromptError `config_invalid` */
  constructor(settings: ServerPoolSettings) {
    const { connectionString, applicationName, maxConnections, turnTimeoutMs, session } = settings
    this.#onDistrust = settings.onDistrust
    this.#address = serverAddress(connectionString)
    const config = clientConfig(connectionString, applicationName)
    const limits = { max: maxConnections, idleTimeoutMillis: IDLE_TIMEOUT_MS }
    this.#pool = new Pool(Object.assign({ ...config, ...limits, Client: ServerClient }, { session }))
    this.#turns = new Turns(maxConnections, turnTimeoutMs, busyAdvice(maxConnections))
    // Without a listener, an idle connection that breaks would end the process. The pool replaces it by itself.
    this.#pool.on("error", ignore)
    this.#pool.on("connect", (client) => client.on("error", ignore))
  }

  /**
   * Gives work a connection, when its turn comes, and takes it back.
   *
   * @throws FleetPromptError `database_busy`, `database_unreachable`, `fleet_stopped`
   */
  run<Result>(work: (connection: ServerConnection) => Promise<Result>): Promise<Result> {
    return this.#turns.run(async () => {
      const { client, connection } = await this.#checkOut()
      try {
        return await work(connection)
      } finally {
        this.#checkIn(client, connection)
      }
    })
  }

  /** From now on connections are only used when they were heard of later. */
  distrust(): void {
    this.#distrustAt = performance.now()
  }

  use(): PoolUse {
    const { totalCount: total, idleCount: idle } = this.#pool
    return { total, idle, waiting: this.#turns.use().waiting }
  }

  /** Lets finish what runs and waits, then closes the connections. */
  async close(): Promise<void> {
    await this.#turns.close()
    await this.#pool.end()
  }

  async #checkOut(): Promise<{ readonly client: PoolClient; readonly connection: ServerConnection }> {
    for (;;) {
      const client = await this.#pool.connect().catch((error: unknown) => {
        throw unreachable(this.#address, error)
      })
      const connection = new ServerConnection(client, this.#address)
      if ((this.#heardAt.get(client) ?? Number.POSITIVE_INFINITY) > this.#distrustAt) return { client, connection }
      connection.condemn()
      this.#checkIn(client, connection)
    }
  }

  #checkIn(client: PoolClient, connection: ServerConnection): void {
    connection.detach()
    const isOutdated = client instanceof ServerClient && client.isOutdated
    if (isOutdated) connection.condemn()
    if (connection.state === "sound") this.#heardAt.set(client, performance.now())
    else connection.abandon()
    if (isOutdated || connection.state === "silent") this.#onDistrust()
    client.release(connection.state !== "sound")
  }
}

function busyAdvice(maxConnections: number): string {
  return `all ${maxConnections} connections to Postgres were busy; raise maxConnections, and inside transaction(run) use the tx it is given`
}

function ignore(): void {}
