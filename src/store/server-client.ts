import { Client, type ClientConfig, Connection } from "pg"

/** How long a server that takes no writes is believed to be the one that the address leads to, milliseconds. */
const READ_ONLY_MS = 2_000

/** What a server reports by itself, from Postgres 14 on: `on` when it takes no writes. */
const READ_ONLY_SETTINGS = new Set(["in_hot_standby", "default_transaction_read_only"])

/** Settings that a session begins with, as `-c name=value`. A PgBouncer in between takes none. */
export interface SessionOptions {
  /** Those of the connection string win over these, */
  readonly defaults?: string | undefined
  /** but not over these. */
  readonly enforced?: string | undefined
}

/** How to connect, and with which settings the session begins. */
export interface ServerClientConfig extends ClientConfig {
  readonly session?: SessionOptions | undefined
}

/** What pg hears of a setting that the server reports: when it greets, and after a statement when it has changed. */
interface ParameterStatus {
  readonly parameterName: string
  readonly parameterValue: string
}

/**
 * A connection that knows how it stands with its server. One may be ended in the same breath as it is greeted, before
 * anybody listens. And after a failover the old server may go on to answer reads, with what it had then: whoever only
 * reads would never notice that another one has taken over at the address. A PgBouncer in between passes nothing of
 * that on.
 */
export class ServerClient extends Client {
  readonly #readOnlyBy = new Set<string>()
  #isBroken = false
  #readOnlySince = Number.POSITIVE_INFINITY

  constructor(config: ServerClientConfig = {}) {
    super(config)
    if (config.session) this.#begin(config.session)
    this.on("error", () => (this.#isBroken = true))
    const connection: unknown = Reflect.get(this, "connection")
    if (connection instanceof Connection) connection.on("parameterStatus", (told) => this.#hear(told))
  }

  /** Whether it failed, so that it takes no statements any more. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Whether its server has taken no writes for a while, so that it is time to see who is at the address now. */
  get isOutdated(): boolean {
    return performance.now() - this.#readOnlySince > READ_ONLY_MS
  }

  #begin({ defaults, enforced }: SessionOptions): void {
    const parameters: unknown = Reflect.get(this, "connectionParameters")
    if (typeof parameters !== "object" || parameters === null) return
    const given: unknown = Reflect.get(parameters, "options")
    const options = [defaults, given, enforced].filter((each) => typeof each === "string" && each !== "")
    if (options.length > 0) Reflect.set(parameters, "options", options.join(" "))
  }

  #hear({ parameterName, parameterValue }: ParameterStatus): void {
    if (!READ_ONLY_SETTINGS.has(parameterName)) return
    if (parameterValue === "on") this.#readOnlyBy.add(parameterName)
    else this.#readOnlyBy.delete(parameterName)
    if (this.#readOnlyBy.size === 0) this.#readOnlySince = Number.POSITIVE_INFINITY
    else this.#readOnlySince = Math.min(this.#readOnlySince, performance.now())
  }
}
