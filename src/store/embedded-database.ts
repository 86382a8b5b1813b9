import { mkdir } from "node:fs/promises"
import { resolve } from "node:path"
import type * as pglitePackage from "@electric-sql/pglite"
import type { PGlite, Transaction as PGliteTransaction } from "@electric-sql/pglite"
import { FleetPromptError } from "../errors.ts"
import type {
  Database,
  Statements,
  ListenEvents,
  OwnerDatabase,
  PoolUse,
  Queryable,
  Transaction,
  TransactionOptions,
} from "./database.ts"
import { toldError } from "./database-full.ts"
import { databaseFiles, hasDatabaseFiles, unpackDatabaseFiles } from "./embedded-files.ts"
import { type DirectoryLock, lockDataDirectory } from "./embedded-lock.ts"
import { maintain } from "./embedded-maintenance.ts"
import { databaseTemplate } from "./embedded-template.ts"
import { TAKE_OWNERSHIP, takeRole } from "./roles.ts"
import { scalarParsers } from "./row-types.ts"
import { quoteName, type TenantScope } from "./tenant-scope.ts"
import { transactionClosed } from "./transaction-closed.ts"
import { Turns } from "./turns.ts"

const BUSY_ADVICE =
  "the embedded database has one connection and a transaction held it all the time; inside transaction(run) use the tx it is given, and keep transactions short"

/** How the embedded database is kept. */
export interface EmbeddedDatabaseSettings {
  /** Where its files are kept, created when missing. Default: in memory, gone when the process ends. */
  readonly dataDirectory?: string
  /** Told what it is busy with while it opens. */
  readonly onProgress?: (step: string) => void
  /** How often it is looked whether tables need a vacuum, which a server does by itself. Default: 10,000. */
  readonly maintainEveryMs?: number
  /** How long work may wait for the one connection. Default: 10,000. */
  readonly turnTimeoutMs?: number
}

/**
 * Opens the embedded database: Postgres in this process, for development and small single-process use.
 *
 * Its limits: one connection, so statements and transactions take turns, and one that waited for
 * `turnTimeoutMs` is refused; a statement on the database inside `transaction(run)` waits for that very
 * transaction, so use `tx` there. It never syncs to disk: a killed process loses nothing that was
 * committed, a power failure may. One process at a time may have a data directory open. Values are as
 * `openServerDatabase` tells.
 *
 * @throws FleetPromptError `embedded_database_missing`, `data_directory_in_use`, `database_unreachable`
 *
 * @example
 * const database = await openEmbeddedDatabase({ dataDirectory: ".fleetprompt" })
 * const [row] = await database.query<{ sum: number }>("select 1 + $1 as sum", [1])
 * await database.close()
 */
export async function openEmbeddedDatabase(settings: EmbeddedDatabaseSettings = {}): Promise<Database> {
  const { PGlite } = await loadPGlite()
  if (settings.dataDirectory === undefined) {
    const template = new Blob([await databaseTemplate()])
    return new EmbeddedDatabase(await PGlite.create({ loadDataDir: template, parsers }), undefined, settings)
  }
  const directory = resolve(settings.dataDirectory)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const lock = await lockDataDirectory(directory)
  try {
    await prepareFiles(directory, settings.onProgress)
    return new EmbeddedDatabase(await openPGlite(PGlite, directory), lock, settings)
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** What `discard all` consists of. */
const FORGET = [
  "close all",
  "set session authorization default",
  "reset role",
  "reset all",
  "deallocate all",
  "unlisten *",
  "select pg_advisory_unlock_all()",
  "discard plans",
  "discard sequences",
  "discard temp",
].join("; ")

/** A copy, since PGlite adds its own. */
const parsers = { ...scalarParsers }

async function loadPGlite(): Promise<typeof pglitePackage> {
  try {
    return await import("@electric-sql/pglite")
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND")) throw cause
    throw new FleetPromptError(
      "embedded_database_missing",
      "expected a database URL or the package @electric-sql/pglite, found neither; set DATABASE_URL or run: npm install @electric-sql/pglite",
      { cause },
    )
  }
}

async function prepareFiles(directory: string, onProgress: (step: string) => void = () => {}): Promise<void> {
  if (!(await hasDatabaseFiles(directory))) {
    onProgress(`creating the embedded database in ${directory}`)
    await unpackDatabaseFiles(await databaseTemplate(), directory)
  }
  onProgress(`opening the embedded database in ${directory}`)
}

async function openPGlite(PGlite: typeof pglitePackage.PGlite, directory: string): Promise<PGlite> {
  try {
    return await PGlite.create({ dataDir: databaseFiles(directory), parsers })
  } catch (cause) {
    throw new FleetPromptError(
      "database_unreachable",
      `could not open the embedded database in ${directory}; if it was made with another version of @electric-sql/pglite, go back to that version, else restore a backup or move the directory away to begin anew`,
      { cause },
    )
  }
}

class EmbeddedDatabase implements Database, Statements {
  readonly kind = "embedded"
  readonly hears = true
  readonly #pglite: PGlite
  readonly #lock: DirectoryLock | undefined
  readonly #turns: Turns
  readonly #channels = new Map<string, Set<ListenEvents>>()
  readonly #maintenanceTimer: NodeJS.Timeout
  #isUsed = false
  #isMaintained = false
  #closed: Promise<void> | undefined

  constructor(pglite: PGlite, lock: DirectoryLock | undefined, settings: EmbeddedDatabaseSettings) {
    const { maintainEveryMs = 10_000, turnTimeoutMs = 10_000 } = settings
    this.#pglite = pglite
    this.#lock = lock
    this.#turns = new Turns(1, turnTimeoutMs, BUSY_ADVICE)
    this.#maintenanceTimer = setInterval(() => void this.#maintain(), maintainEveryMs).unref()
    pglite.onNotification((channel, payload) => {
      for (const { onMessage } of this.#channels.get(channel) ?? []) onMessage(payload)
    })
  }

  /** The one connection serves all. */
  get hot(): Statements {
    return this
  }

  get owner(): OwnerDatabase {
    return {
      query: (text, values) => this.query(text, values),
      script: (text) => this.script(text),
      transaction: (run) => this.#inTurn(() => this.#begin(TAKE_OWNERSHIP, run)),
    }
  }

  of(tenants: readonly TenantScope[]): Queryable {
    const role = { tenants }
    return { query: (text, values) => this.transaction((tx) => tx.query(text, values), { role }) }
  }

  query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return this.#inTurn(() => runQuery<Row>(this.#pglite, text, values))
  }

  script(text: string): Promise<void> {
    return this.#inTurn(() => runScript(this.#pglite, text))
  }

  transaction<Result>(run: (tx: Transaction) => Promise<Result>, { role }: TransactionOptions = {}): Promise<Result> {
    return this.#inTurn(async () => {
      try {
        return await this.#begin(role && takeRole(role), run)
      } finally {
        // Statements of the user's own were run in it, which may have left something behind in the session.
        if (role === "login") await this.#forgetSession()
      }
    })
  }

  /** @param first what it begins with. */
  #begin<Result>(first: string | undefined, run: (tx: Transaction) => Promise<Result>): Promise<Result> {
    return this.#pglite.transaction(async (tx) => {
      if (first !== undefined) await runScript(tx, first)
      return run(embeddedTransaction(tx))
    })
  }

  /** As `discard all` does on a server, which would take our own listening along. */
  #forgetSession(): Promise<void> {
    const listening = [...this.#channels.keys()].map((channel) => `listen ${quoteName(channel)}`)
    return runScript(this.#pglite, [FORGET, ...listening].join("; "))
  }

  async listen(channel: string, events: ListenEvents): Promise<() => Promise<void>> {
    const listeners = this.#channels.get(channel) ?? new Set()
    this.#channels.set(channel, listeners.add(events))
    // It is never taken back: a notification that nobody wants costs nothing.
    await this.script(`listen ${quoteName(channel)}`).catch((error: unknown) => {
      listeners.delete(events)
      throw error
    })
    return async () => {
      listeners.delete(events)
    }
  }

  poolUse(): PoolUse {
    const { taken, waiting } = this.#turns.use()
    return { total: 1, idle: 1 - taken, waiting }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#isUsed = true
    return this.#turns.run(work)
  }

  async #close(): Promise<void> {
    clearInterval(this.#maintenanceTimer)
    await this.#turns.close()
    try {
      await this.#pglite.close()
    } finally {
      await this.#lock?.release()
    }
  }

  /** Nothing happens while nobody uses the database, so that an idle process stays idle. */
  async #maintain(): Promise<void> {
    if (!this.#isUsed || this.#isMaintained) return
    this.#isMaintained = true
    // What one round fails to do, the next makes up for.
    await maintain(this).catch(() => undefined)
    this.#isMaintained = false
    this.#isUsed = false
  }
}

/** The two ways PGlite and its transactions run statements. */
type Runner = Pick<PGliteTransaction, "query" | "exec">

function embeddedTransaction(tx: PGliteTransaction): Transaction {
  const whileOpen = <Result>(run: () => Promise<Result>): Promise<Result> =>
    tx.closed ? Promise.reject(transactionClosed()) : run()
  return {
    query: (text, values = []) => whileOpen(() => runQuery(tx, text, values)),
    script: (text) => whileOpen(() => runScript(tx, text)),
  }
}

async function runQuery<Row extends object>(
  runner: Runner,
  text: string,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  const { rows } = await runner.query<Row>(text, [...values]).catch(rethrowBare)
  return rows
}

async function runScript(runner: Runner, text: string): Promise<void> {
  await runner.exec(text).catch(rethrowBare)
}

/** PGlite's errors carry the statement's parameters, which are some tenant's data: whoever logs an error must not log them. */
function rethrowBare(error: unknown): never {
  if (error instanceof Error) for (const key of ["params", "query", "queryOptions"]) Reflect.deleteProperty(error, key)
  throw toldError(error)
}
