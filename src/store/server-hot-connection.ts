import { type ClientConfig, DatabaseError, type QueryConfig } from "pg"
import type { DatabaseRole } from "./database.ts"
import { toldError } from "./database-full.ts"
import { sessionRole, takeRole } from "./roles.ts"
import { ServerClient } from "./server-client.ts"
import { abandonClient, connectionLost, endsConnection, isFatal, type ServerAddress } from "./server-connection.ts"

/** A statement that somebody waits for. */
export interface HotStatement {
  readonly text: string
  readonly values: readonly unknown[]
  /** Of its prepared form; undefined where nothing may be kept in the session. */
  readonly name: string | undefined
  /** In whose name it runs, in a transaction of its own; undefined for the session's. */
  readonly role: DatabaseRole | undefined
  /** The tick at which it began to wait: first for a connection, then for its answer. */
  since: number
  readonly resolve: (rows: readonly never[]) => void
  readonly reject: (error: unknown) => void
}

/** What a connection tells those who have it. */
export interface HotConnectionEvents {
  /** A statement was answered. */
  readonly onFree: (connection: HotConnection) => void
  /** It is gone. */
  readonly onLost: (connection: HotConnection) => void
}

/**
 * With statistics that are older than the table, the planner takes a sort of the whole queue for cheap.
 * Our statements are written for one index each, so every other way is ruled out; and since a path that
 * is ruled out counts as very dear, the compiler that dear plans would call is off as well.
 */
const PLAN_OPTIONS = [
  "enable_seqscan=off",
  "enable_bitmapscan=off",
  "enable_sort=off",
  "enable_hashjoin=off",
  "enable_mergejoin=off",
  "plan_cache_mode=force_generic_plan",
  "jit=off",
]
  .map((setting) => `-c ${setting}`)
  .join(" ")

/** Prepared statements of one connection: each holds its plan in the server's memory. */
const MAX_NAMED = 1_000

/** A server's process keeps what it learnt of each table, so one that saw many schemas grows large. */
const MAX_TEXTS = 5_000

const MAX_AGE_MS = 30 * 60_000

/** How long the other side may take to accept that the connection ends. */
const FAREWELL_MS = 1_000

/** What a hot session is like. */
interface HotSession {
  readonly isPooled: boolean
  readonly role?: "engine" | undefined
}

/**
 * Connects for hot statements: pipelined, and with the plan options and the role unless a pooler stands in between.
 *
 * @throws what pg throws; Error when it was ended as soon as it was made
 */
export async function connectHot(config: ClientConfig, { isPooled, role }: HotSession): Promise<ServerClient> {
  const session = { defaults: PLAN_OPTIONS, enforced: role && sessionRole(role) }
  const client = new ServerClient({ ...config, pipeline: true, session: isPooled ? undefined : session })
  await client.connect()
  if (!client.isBroken) return client
  abandonClient(client)
  throw new Error("the server ended it at once")
}

/**
 * One connection with several statements under way, each a transaction by itself, answered in order. It
 * is sound, then draining when it takes no more, then over; when it breaks it is over at once, and
 * whatever was under way fails.
 */
export class HotConnection {
  readonly #client: ServerClient
  readonly #address: ServerAddress
  readonly #events: HotConnectionEvents
  readonly #underWay = new Set<HotStatement>()
  /** Names of statements that were prepared here, and whether they may still be used. */
  readonly #named = new Map<string, boolean>()
  readonly #seen = new Set<string>()
  readonly #wornAt = performance.now() + MAX_AGE_MS * (0.8 + 0.2 * Math.random())
  #isWorn = false
  #isDraining = false
  #isOver = false
  #usedAt = 0

  constructor(client: ServerClient, address: ServerAddress, events: HotConnectionEvents) {
    this.#client = client
    this.#address = address
    this.#events = events
    client.on("error", (error) => this.lose(error))
    client.on("end", () => this.lose(new Error("the server closed it")))
  }

  /** How many statements are under way. */
  get load(): number {
    return this.#underWay.size
  }

  /** Whether it takes no more statements and is to be ended once the last is answered. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  /** Whether a new connection should take its place: it is old, or saw many statements. */
  get isWorn(): boolean {
    return this.#isWorn || this.#seen.size >= MAX_TEXTS || performance.now() > this.#wornAt
  }

  /** Whether its server has taken no writes for a while. */
  get isOutdated(): boolean {
    return this.#client.isOutdated
  }

  /** Whether a statement was prepared here. */
  knows(name: string): boolean {
    return this.#named.get(name) === true
  }

  /** The tick since which the first answer is awaited; undefined when none is. */
  get waitsSince(): number | undefined {
    for (const statement of this.#underWay) return statement.since
    return undefined
  }

  /** The tick at which it was last given a statement. */
  get usedAt(): number {
    return this.#usedAt
  }

  send(statement: HotStatement, tick: number): void {
    statement.since = tick
    this.#usedAt = tick
    this.#submit(statement, this.#nameFor(statement.name))
  }

  /** Takes no more statements. */
  drain(): void {
    this.#isDraining = true
  }

  /** Gives it up: fails all that is under way. */
  lose(cause: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    const lost = [...this.#underWay]
    this.#underWay.clear()
    abandonClient(this.#client)
    for (const { reject } of lost) reject(connectionLost(this.#address, cause))
    this.#events.onLost(this)
  }

  /** Closes it when nothing is under way. */
  async end(): Promise<void> {
    this.#isOver = true
    const giveUp = setTimeout(() => abandonClient(this.#client), FAREWELL_MS)
    await this.#client.end()
    clearTimeout(giveUp)
  }

  #nameFor(name: string | undefined): string | undefined {
    if (name === undefined) return undefined
    if (this.#seen.size < MAX_TEXTS) this.#seen.add(name)
    const isUsable = this.#named.get(name)
    if (isUsable === undefined && this.#named.size < MAX_NAMED) {
      this.#named.set(name, true)
      return name
    }
    return isUsable === true ? name : undefined
  }

  #submit(statement: HotStatement, name: string | undefined): void {
    this.#underWay.add(statement)
    const query = { text: statement.text, values: [...statement.values], queryMode: "extended", ...(name && { name }) }
    if (statement.role === undefined) {
      // With a callback, as a promise of pg's own for each statement takes a tenth of the time.
      this.#client.query<never>(query, (error: Error | null, result) => {
        this.#answer(statement, name, error, error ? [] : result.rows)
      })
    } else this.#submitInRole(statement, name, query, takeRole(statement.role))
  }

  /** All three are sent at once, and nothing comes between them. The answer counts when it is committed. */
  #submitInRole(statement: HotStatement, name: string | undefined, query: QueryConfig, take: string): void {
    let failure: Error | null = null
    let rows: readonly never[] = []
    this.#client.query(`begin; ${take}`, (error: Error | null) => void (failure = error))
    this.#client.query<never>(query, (error: Error | null, result) => {
      failure ??= error
      if (!error) rows = result.rows
    })
    this.#client.query("commit", (error: Error | null) => this.#answer(statement, name, failure ?? error, rows))
  }

  /** pg may answer twice when values cannot be sent, and answers late when the connection was lost. */
  #answer(statement: HotStatement, name: string | undefined, error: Error | null, rows: readonly never[]): void {
    if (!this.#underWay.delete(statement)) return
    if (error) this.#fail(statement, name, error)
    else statement.resolve(rows)
    if (!this.#isOver) this.#events.onFree(this)
  }

  #fail(statement: HotStatement, name: string | undefined, error: Error): void {
    if (isFatal(error)) {
      statement.reject(connectionLost(this.#address, error))
      this.lose(error)
    } else if (name !== undefined && isUnprepared(error)) {
      this.#named.set(name, false)
      this.#isWorn = true
      this.#submit(statement, undefined)
    } else {
      if (endsConnection(error)) this.drain()
      statement.reject(toldError(error))
    }
  }
}

/**
 * Whether a prepared statement could not be used, so that nothing was run: it is not there, since the
 * first that should have prepared it failed; it is there already; or the tables changed under its plan.
 */
function isUnprepared(error: Error): boolean {
  if (!(error instanceof DatabaseError)) return false
  const { code, routine } = error
  return code === "26000" || code === "42P05" || (code === "0A000" && routine === "RevalidateCachedQuery")
}
