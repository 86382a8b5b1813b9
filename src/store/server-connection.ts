import { Client, type ClientBase, Connection, type ClientConfig, DatabaseError, type QueryResult, types } from "pg"
import { FleetPromptError } from "../errors.ts"
import { toldError } from "./database-full.ts"
import { elementParsers, scalarParsers } from "./row-types.ts"
import { ServerClient } from "./server-client.ts"

/** Where a server is, as messages may name it: never with the password. */
export interface ServerAddress {
  readonly host: string
  readonly port: number
}

/** How long connecting may take, TLS and log-in included. */
const CONNECT_TIMEOUT_MS = 5_000

/** After a connection was silent for so long, the system asks whether the other side is still there. */
const KEEP_ALIVE_AFTER_MS = 10_000

// The enum of oids that it declares knows no arrays, yet it has a parser for each: 1009 is text[].
const parserOf: (oid: number) => (text: string) => unknown = types.getTypeParser
const textArray = parserOf(1009)

/** The same JavaScript values as the embedded database gives: see `row-types.ts`. */
function getTypeParser(oid: number): (text: string) => unknown {
  const element = elementParsers[oid]
  if (element) return (text) => mapNested(textArray(text), element)
  return scalarParsers[oid] ?? ((text) => text)
}

function mapNested(value: unknown, parse: (text: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => mapNested(item, parse))
  return typeof value === "string" ? parse(value) : value
}

/** Settings that every connection has, in the pool or for listening. */
export function clientConfig(connectionString: string, applicationName: string): ClientConfig {
  return {
    connectionString,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    types: { getTypeParser },
  }
}

/**
 * Reads where a connection string points to.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function serverAddress(connectionString: string): ServerAddress {
  // An unescaped / or # in a password ends the host early; what is shown as host would be the password's start.
  if (!/^postgres(ql)?:\/\//.test(connectionString) || /^[^@]*[/?#][^@]*@/.test(withoutScheme(connectionString))) {
    throw invalidConnectionString()
  }
  try {
    const { host, port } = new Client({ connectionString })
    return { host, port }
  } catch {
    throw invalidConnectionString()
  }
}

function withoutScheme(connectionString: string): string {
  return connectionString.slice(connectionString.indexOf("://") + 3)
}

function invalidConnectionString(): FleetPromptError {
  return new FleetPromptError(
    "config_invalid",
    "expected a database URL such as postgres://user:password@host:5432/name, got something else; write special characters of the password percent-encoded (@ as %40, / as %2F, # as %23)",
  )
}

/** Wraps why connecting failed. */
export function unreachable(address: ServerAddress, cause: unknown): FleetPromptError {
  return new FleetPromptError(
    "database_unreachable",
    `could not connect to Postgres at ${address.host}:${address.port} (${reasonOf(cause)}); ${adviceFor(cause)}`,
    { cause },
  )
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.message !== "") return cause.message
  // Connecting to several addresses of one name fails with an AggregateError, whose message is empty.
  return "code" in cause ? String(cause.code) : cause.name
}

function adviceFor(cause: unknown): string {
  const code = cause instanceof DatabaseError ? (cause.code ?? "") : ""
  if (code === "53300") return "it has no connection left: lower maxConnections or raise the server's max_connections"
  if (code === "3D000") return "create the database or name another in the database URL"
  if (code === "42501" || code === "22023")
    return "the login may not take a role: run as its owner `grant fleetprompt_tenant, fleetprompt_engine to` that login, see fleetprompt doctor"
  if (code.startsWith("28")) return "check the user and password in the database URL"
  if (code.startsWith("57P")) return "it is starting or stopping: try again"
  return "check that it runs, that host and port in the database URL are right, and that the network lets you through"
}

/** How a connection is doing: `silent` is one that did not answer in time, `broken` any other that must not be used again. */
export type ConnectionState = "sound" | "silent" | "broken"

/** One connection, while one piece of work has it: bounds each statement and notices when it breaks. */
export class ServerConnection {
  readonly #client: ClientBase
  readonly #address: ServerAddress
  #state: ConnectionState = "sound"
  #last: Promise<unknown> = Promise.resolve()

  constructor(client: ClientBase, address: ServerAddress) {
    this.#client = client
    this.#address = address
    client.on("error", this.#onError)
    if (client instanceof ServerClient && client.isBroken) this.condemn()
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Stops watching it, when somebody else is to have it. */
  detach(): void {
    this.#client.off("error", this.#onError)
  }

  /** Marks it as unfit for anybody else. */
  condemn(): void {
    if (this.#state === "sound") this.#state = "broken"
  }

  /** Closes it without a farewell. */
  abandon(): void {
    abandonClient(this.#client)
  }

  /**
   * Whether a pooler such as PgBouncer stands in between: it greets a client with a process number of its
   * own making, while the statement is answered with the number of the server's process. In transaction
   * mode each transaction may come to another process, so that nothing may be kept in the session: no
   * named statement, no setting, no LISTEN.
   */
  async isPooled(timeoutMs: number): Promise<boolean> {
    const { rows } = await this.run("/* selectBackendPid */ select pg_backend_pid() as pid", [], timeoutMs)
    const [row]: readonly { readonly pid?: unknown }[] = rows
    return Reflect.get(this.#client, "processID") !== row?.pid
  }

  /**
   * Runs a statement, after those asked for before; without values it may be several.
   *
   * @throws what Postgres answered, with its `code`; FleetPromptError `database_connection_lost`
   */
  run(text: string, values: readonly unknown[] | undefined, timeoutMs: number): Promise<QueryResult> {
    const result = this.#last.then(() => this.#runNow(text, values, timeoutMs))
    this.#last = result.catch(() => undefined)
    return result
  }

  async #runNow(text: string, values: readonly unknown[] | undefined, timeoutMs: number): Promise<QueryResult> {
    if (this.#state !== "sound") throw this.#lost(new Error("it was lost before"))
    // With values, pg uses the extended protocol, which takes one statement only; without, the simple one.
    const query = values === undefined ? text : { text, values: [...values], queryMode: "extended" }
    try {
      return await this.#inTime(this.#client.query<never>(query), timeoutMs)
    } catch (error) {
      if (endsConnection(error)) this.condemn()
      throw this.#state === "sound" ? toldError(error) : this.#lost(error)
    }
  }

  #inTime<Result>(answer: Promise<Result>, timeoutMs: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#state = "silent"
        reject(new Error(`no answer within ${timeoutMs} ms`))
      }, timeoutMs)
      answer.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }

  #lost(cause: unknown): unknown {
    // A server that refuses to write tells a real answer; only the connection is not to be used again.
    if (cause instanceof DatabaseError && !isFatal(cause)) return cause
    return connectionLost(this.#address, cause)
  }

  readonly #onError = (): void => this.condemn()
}

/** What a statement is answered with whose connection broke, which had perhaps carried it out. */
export function connectionLost(address: ServerAddress, cause: unknown): FleetPromptError {
  return new FleetPromptError(
    "database_connection_lost",
    `the connection to Postgres at ${address.host}:${address.port} broke while a statement was under way (${reasonOf(cause)}), so it may or may not have taken effect; try again with the same idempotency key`,
    { cause },
  )
}

/** Closes a connection without a farewell, which the other side might never take and this process would wait to deliver. */
export function abandonClient(client: ClientBase): void {
  const connection: unknown = Reflect.get(client, "connection")
  if (connection instanceof Connection) connection.stream.destroy()
}

/** A server gone read-only after a failover answers politely for ever: only a new connection finds the new one. */
export function endsConnection(error: unknown): boolean {
  return error instanceof DatabaseError && (isFatal(error) || error.code === "25006")
}

/** Whether Postgres ended the connection with this answer. */
export function isFatal(error: unknown): boolean {
  return error instanceof DatabaseError && (error.severity === "FATAL" || error.severity === "PANIC")
}
