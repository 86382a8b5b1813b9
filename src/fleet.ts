import { randomBytes } from "node:crypto"
import { hostname } from "node:os"
import type { WebhookSource } from "./connectors/webhook-source.ts"
import { openSchedules, type Schedules } from "./delivery/schedules-door.ts"
import { FleetPromptError } from "./errors.ts"
import { checkHealth, type Health } from "./fleet/health.ts"
import {
  checkSettings,
  checkUnique,
  type CommitListener,
  databaseSettings,
  type FleetOptions,
  type StopOptions,
} from "./fleet/options.ts"
import { assemble, type Parts } from "./fleet/parts.ts"
import type { Database, Transaction } from "./store/database.ts"
import { countOpenDeliveries } from "./store/deliveries.ts"
import { observeDatabase } from "./store/observed-database.ts"
import { openDatabase } from "./store/open-database.ts"
import { readFleetStats } from "./store/queue-stats.ts"
import { selectTenants, type TenantRecord } from "./store/tenants.ts"
import type { FleetStats } from "./telemetry/fleet-stats.ts"
import { Telemetry } from "./telemetry/telemetry.ts"
import { type ProvisionOptions, provisionTenant } from "./tenants/provision.ts"
import { type FleetPauses, openPauses } from "./tenants/pauses.ts"
import { openTenant, type Tenant } from "./tenants/tenant.ts"

const DEFAULT_GRACE_MS = 10_000
const DRAIN_POLL_MS = 50

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
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  /** @throws FleetPromptError `config_invalid`, `handler_invalid` */
  constructor(options: FleetOptions) {
    this.#options = options
    checkSettings(options)
    checkUnique("handler", options.handlers ?? [])
    checkUnique("schedule", options.schedules ?? [])
    checkUnique("webhook", options.webhooks ?? [])
    this.webhooks = new Map((options.webhooks ?? []).map((source) => [source.name, source]))
  }

  /** Tenants of this fleet. */
  readonly tenants = {
    /** Creates a tenant or completes one. Safe to repeat. @throws FleetPromptError `tenant_invalid` */
    provision: async (slug: string, options: ProvisionOptions = {}): Promise<TenantRecord> => {
      const { database, emitDeps } = this.#running()
      const tenant = await provisionTenant(database, slug, options)
      emitDeps.placements.learn(tenant)
      return tenant
    },
    /** All tenants by slug. */
    list: async (): Promise<readonly TenantRecord[]> => selectTenants(this.#running().database),
  }

  /** What is not to be run for now, of one tenant or all, of one handler or all. */
  readonly pauses: FleetPauses = openPauses(() => this.#running().emitDeps)

  /** The schedules that ran in this fleet. */
  readonly schedules: Schedules = openSchedules(
    () => this.#running().database,
    () => this.#running().emitDeps.announcer.changed({ schedules: true }),
  )

  /** One tenant's door. @throws FleetPromptError `tenant_invalid` */
  tenant(slug: string): Tenant {
    return openTenant(slug, () => this.#running().tenantDeps)
  }

  /** Which kind of database the fleet works on. */
  get databaseKind(): Database["kind"] {
    return this.#running().database.kind
  }

  /**
   * Opens the database, brings its schemas up to date and begins to run handlers.
   *
   * @throws FleetPromptError `config_invalid` when it runs already, and what opening the database throws
   */
  async start(): Promise<void> {
    if (this.#parts || this.#starting)
      throw new FleetPromptError(
        "config_invalid",
        "expected a fleet that is stopped, this one is running; call start once",
      )
    this.#starting = this.#start().finally(() => (this.#starting = undefined))
    await this.#starting
  }

  async #start(): Promise<void> {
    const opened = this.#options.database ?? (await openDatabase(databaseSettings(this.#options)))
    const database = observeDatabase(opened, this.telemetry)
    try {
      this.#parts = await assemble(database, {
        name: this.workerName,
        options: this.#options,
        telemetry: this.telemetry,
        commitListeners: this.#commitListeners,
        onCommit: (listener) => this.onCommit(listener),
      })
    } catch (error) {
      await database.close()
      throw error
    }
    this.telemetry.tell("fleet.started", { worker: this.workerName, database: database.kind })
  }

  /**
   * Stops claiming, lets running handlers end within the grace, gives the rest back, closes the database.
   * During a start it waits for that; a second call waits for the first.
   */
  async stop({ graceMs = DEFAULT_GRACE_MS }: StopOptions = {}): Promise<void> {
    // Whoever started it is told why that failed.
    await this.#starting?.catch(() => undefined)
    const parts = this.#parts
    if (!parts) return
    this.#stopping ??= this.#stop(parts, graceMs).finally(() => (this.#stopping = undefined))
    await this.#stopping
  }

  async #stop(parts: Parts, graceMs: number): Promise<void> {
    const released = await parts.stop(graceMs)
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

  /** Whether the fleet can do its work: it is running and its database answers within 2 seconds. Never rejects. */
  health(): Promise<Health> {
    return checkHealth(this.#parts?.database, this.#stopping !== undefined)
  }

  /** What is in the queue, and how the database is used; its cost grows with the queue. */
  async stats(): Promise<FleetStats> {
    return readFleetStats(this.#running().database)
  }

  /** A transaction on the fleet's own database, to pass as `tx` to emit. Commits when `run` resolves. */
  async transaction<Result>(run: (tx: Transaction) => Promise<Result>): Promise<Result> {
    return this.#running().database.transaction(run)
  }

  /** Hears what any process of the fleet commits, until the returned function is called. */
  onCommit(listener: CommitListener): () => void {
    this.#commitListeners.add(listener)
    return () => void this.#commitListeners.delete(listener)
  }

  #running(): Parts {
    if (this.#parts) return this.#parts
    throw new FleetPromptError(
      "fleet_stopped",
      "expected a running fleet, this one was not started or was stopped; await fleet.start() first",
    )
  }
}

/**
 * Makes a fleet; nothing runs before `start`.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function createFleet(options: FleetOptions = {}): Fleet {
  return new Fleet(options)
}
