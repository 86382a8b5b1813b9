import { randomBytes } from "node:crypto"
import { hostname } from "node:os"
import type { WebhookSource } from "./connectors/webhook-source.ts"
import type { Handler } from "./delivery/handler.ts"
import { deliveryId } from "./delivery/run-attempt.ts"
import { DEFAULT_WORKER_SETTINGS, Worker, type WorkerSettings } from "./delivery/worker.ts"
import type { EmitDeps } from "./emit/emit.ts"
import { emitterFor } from "./emit/emit-for-handler.ts"
import { routesTo } from "./emit/fan-out.ts"
import { FleetPromptError } from "./errors.ts"
import { type Announcement, CHANNEL, parseAnnouncement } from "./store/announcements.ts"
import { Announcer } from "./store/announcer.ts"
import type { Database, Transaction } from "./store/database.ts"
import { countOpenDeliveries, endAllLeases } from "./store/deliveries.ts"
import { migrateControl } from "./store/migrate.ts"
import { type DatabaseSettings, openDatabase } from "./store/open-database.ts"
import { selectTenants, type TenantRecord } from "./store/tenants.ts"
import { Telemetry } from "./telemetry/telemetry.ts"
import { provisionTenant, repairTenants } from "./tenants/provision.ts"
import { openTenant, type Tenant } from "./tenants/tenant.ts"

/** What a fleet is made of. */
export interface FleetOptions {
  /** A Postgres server: `postgres://user:password@host:port/database`. Default: the embedded database. */
  readonly databaseUrl?: string | undefined
  /** Where the embedded database keeps its files; `memory` keeps nothing. Default `.fleetprompt/data`. */
  readonly dataDirectory?: string | undefined
  /** A database that is open, instead of the two above. The fleet closes it when it stops. */
  readonly database?: Database
  /** The code that runs on signals. */
  readonly handlers?: readonly Handler[]
  /** Webhooks that come in. */
  readonly webhooks?: readonly WebhookSource[]
  /** Whether this process runs handlers, and how. Default: it does. */
  readonly worker?: Partial<WorkerSettings> | false
  /** Longest data of a signal, bytes of JSON. Default 1,048,576. Webhooks have their source's limit. */
  readonly maxDataBytes?: number
  /** Is told each step of a start that takes time. */
  readonly onProgress?: (step: string) => void
}

/** How a fleet stops. */
export interface StopOptions {
  /** How long running handlers may take to end, milliseconds. Default 10,000. */
  readonly graceMs?: number
}

/** What a listener hears of commits, its own process's and others'. */
export interface CommitListener {
  /** New signals, or deliveries that moved. Only a hint: one may get lost. */
  readonly onCommit: (announcement: Announcement) => void
  /** Some were lost. */
  readonly onGap: () => void
}

const DEFAULT_MAX_DATA_BYTES = 1_048_576
const DEFAULT_GRACE_MS = 10_000
const DRAIN_POLL_MS = 100

/**
 * Everything wired together: database, guards, emit, worker. It lives from `start` to `stop`.
 *
 * @example
 * const fleet = createFleet({ databaseUrl: process.env.DATABASE_URL, handlers: [qualify] })
 * await fleet.start()
 * await fleet.tenants.provision("acme")
 * await fleet.tenant("acme").emit("lead.received", { leadId: "123" })
 * await fleet.stop()
 */
export class Fleet {
  readonly telemetry = new Telemetry()
  readonly webhooks: ReadonlyMap<string, WebhookSource>
  /** Names this process in attempts. */
  readonly workerName = `${hostname()}:${process.pid}:${randomBytes(3).toString("hex")}`
  readonly #options: FleetOptions
  readonly #commitListeners = new Set<CommitListener>()
  #parts: Parts | undefined

  /** @throws FleetPromptError `config_invalid`, `handler_invalid` */
  constructor(options: FleetOptions) {
    this.#options = options
    checkUnique(
      "handler",
      (options.handlers ?? []).map(({ name }) => name),
    )
    checkUnique(
      "webhook",
      (options.webhooks ?? []).map(({ name }) => name),
    )
    this.webhooks = new Map((options.webhooks ?? []).map((source) => [source.name, source]))
  }

  /** Tenants of this fleet. */
  readonly tenants = {
    /** Creates a tenant or completes one. Safe to repeat. @throws FleetPromptError `tenant_invalid` */
    provision: (slug: string): Promise<TenantRecord> => provisionTenant(this.#running().database, slug),
    /** All tenants by slug. */
    list: (): Promise<readonly TenantRecord[]> => selectTenants(this.#running().database),
  }

  /** One tenant's door. @throws FleetPromptError `tenant_invalid` */
  tenant(slug: string): Tenant {
    return openTenant(slug, () => this.#running().emitDeps)
  }

  /** Which kind of database the fleet works on. */
  get databaseKind(): Database["kind"] {
    return this.#running().database.kind
  }

  /** Opens the database, brings its schemas up to date and begins to run handlers. */
  async start(): Promise<void> {
    if (this.#parts)
      throw new FleetPromptError(
        "config_invalid",
        "expected a fleet that is stopped, this one is running; call start once",
      )
    const database = this.#options.database ?? (await openDatabase(databaseSettings(this.#options)))
    try {
      this.#parts = await this.#assemble(database)
    } catch (error) {
      await database.close()
      throw error
    }
    this.telemetry.tell("fleet.started", { worker: this.workerName, database: database.kind })
  }

  /** Stops claiming, lets running handlers end within the grace, gives the rest back, closes the database. */
  async stop({ graceMs = DEFAULT_GRACE_MS }: StopOptions = {}): Promise<void> {
    const parts = this.#parts
    if (!parts) return
    const released = await parts.worker.stop(graceMs)
    await parts.announcer.flushed()
    await parts.unlisten()
    this.#parts = undefined
    await parts.database.close()
    this.telemetry.tell("fleet.stopped", { worker: this.workerName, released })
  }

  /** Resolves when no delivery of any tenant is left to be done, retries included. */
  async drain(): Promise<void> {
    while ((await countOpenDeliveries(this.#running().database)) > 0) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS))
    }
  }

  /** A transaction on the fleet's own database, to pass as `tx` to emit. Commits when `run` resolves. */
  transaction<Result>(run: (tx: Transaction) => Promise<Result>): Promise<Result> {
    return this.#running().database.transaction(run)
  }

  /** Hears what any process of the fleet commits, until the returned function is called. */
  onCommit(listener: CommitListener): () => void {
    this.#commitListeners.add(listener)
    return () => void this.#commitListeners.delete(listener)
  }

  async #assemble(database: Database): Promise<Parts> {
    this.#options.onProgress?.("bringing schemas up to date")
    await migrateControl(database)
    await repairTenants(database)
    if (database.kind === "embedded") await endAllLeases(database)
    const announcer = new Announcer(database, (error) =>
      this.telemetry.tell("background.failed", { step: "announce", error }),
    )
    const emitDeps: EmitDeps = {
      database,
      maxDataBytes: this.#options.maxDataBytes ?? DEFAULT_MAX_DATA_BYTES,
      routes: routesTo(this.#options.handlers ?? []),
      announcer,
      telemetry: this.telemetry,
    }
    const worker = this.#createWorker(emitDeps)
    const unlisten = await database.listen(CHANNEL, {
      onMessage: (payload) => this.#heard(parseAnnouncement(payload), worker),
      onGap: () => this.#missed(worker),
    })
    worker.start()
    return { database, announcer, emitDeps, worker, unlisten }
  }

  #createWorker({ database, announcer, telemetry }: EmitDeps): Worker {
    const { worker, handlers = [] } = this.#options
    return new Worker({
      name: this.workerName,
      database,
      handlers: worker === false ? [] : handlers,
      emitFor: (cause, delivery) =>
        emitterFor(
          cause,
          { handler: delivery.handler, deliveryId: deliveryId(delivery) },
          () => this.#running().emitDeps,
        ),
      announcer,
      telemetry,
      settings: { ...DEFAULT_WORKER_SETTINGS, ...worker },
    })
  }

  #heard(announcement: Announcement | undefined, worker: Worker): void {
    if (!announcement) return
    if (announcement.stored.length > 0) worker.wake()
    for (const listener of this.#commitListeners) listener.onCommit(announcement)
  }

  #missed(worker: Worker): void {
    worker.wake()
    for (const listener of this.#commitListeners) listener.onGap()
  }

  #running(): Parts {
    if (this.#parts) return this.#parts
    throw new FleetPromptError(
      "fleet_stopped",
      "expected a running fleet, this one was not started or was stopped; await fleet.start() first",
    )
  }
}

/** What a running fleet holds. */
interface Parts {
  readonly database: Database
  readonly announcer: Announcer
  readonly emitDeps: EmitDeps
  readonly worker: Worker
  readonly unlisten: () => Promise<void>
}

/**
 * Makes a fleet; nothing runs before `start`.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function createFleet(options: FleetOptions = {}): Fleet {
  return new Fleet(options)
}

const DEFAULT_DATA_DIRECTORY = ".fleetprompt/data"

function databaseSettings({
  databaseUrl,
  dataDirectory = DEFAULT_DATA_DIRECTORY,
  onProgress,
}: FleetOptions): DatabaseSettings {
  return {
    ...(databaseUrl !== undefined && { databaseUrl }),
    ...(dataDirectory !== MEMORY && { dataDirectory }),
    ...(onProgress && { onProgress }),
  }
}

/** The data directory that keeps nothing. */
const MEMORY = "memory"

function checkUnique(what: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return
  throw new FleetPromptError(
    "config_invalid",
    `expected each ${what} to have a name of its own, got two called "${twice}"; rename one`,
  )
}
