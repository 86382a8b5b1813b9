import { randomBytes } from "node:crypto"
import { hostname } from "node:os"
import { type FleetAccess, fleetAccess } from "./access/fleet-access.ts"
import { openOrganisations, type Organisations, type OrganisationsDeps } from "./access/organisations.ts"
import { openPeople, type People } from "./access/people.ts"
import type { AccessPolicy } from "./access/policy.ts"
import { scopeOfTenant } from "./access/tenant-scopes.ts"
import type { Principal } from "./access/principal.ts"
import { checkLimit, type LimitVerdict, type RequestLimit } from "./access/request-limiter.ts"
import { type AuditLog, openAuditLog } from "./audit/audit-door.ts"
import type { WebhookSource } from "./connectors/webhook-source.ts"
import type { FleetDirectives } from "./directives/directives-door.ts"
import { byType } from "./directives/known-directives.ts"
import { openFleetDirectives } from "./directives/open-directives.ts"
import { FleetPromptError } from "./errors.ts"
import { checkApiKeySettings } from "./fleet/callers.ts"
import { countAllOpen, checkCellsHealth, readAllStats } from "./fleet/all-cells.ts"
import { Cells } from "./fleet/cells.ts"
import type { Health } from "./fleet/health.ts"
import { type FleetKeys, openKeys } from "./fleet/keys-door.ts"
import { openMigrationsByCell } from "./fleet/migrations-by-cell.ts"
import { openOperationsByCell } from "./fleet/operations-by-cell.ts"
import {
  checkCells,
  checkSettings,
  checkUnique,
  type CommitListener,
  type FleetOptions,
  type StopOptions,
} from "./fleet/options.ts"
import { templatesOfFleet } from "./fleet/package-parts.ts"
import type { FleetPackages, PlanRequest } from "./packages/installations/tenant-packages.ts"
import { openPackages } from "./packages/packages-door.ts"
import type { Schedules } from "./fleet/schedules-door.ts"
import type { Parts } from "./fleet/parts.ts"
import { openPausesByCell, openSchedulesByCell } from "./fleet/pauses-by-cell.ts"
import { openTenantByCell } from "./fleet/tenant-by-cell.ts"
import { openTenantsByCell } from "./fleet/tenants-by-cell.ts"
import { checksByName } from "./packages/rollouts/rollout-check.ts"
import { openRollouts } from "./packages/rollouts/open-rollouts.ts"
import type { Database, Transaction } from "./store/database.ts"
import { PLATFORM_LOG } from "./store/audit-intake.ts"
import { release } from "./store/sql.ts"
import type { FleetStats } from "./telemetry/fleet-stats.ts"
import { Telemetry } from "./telemetry/telemetry.ts"
import type { Migrations } from "./tenants/migrations/migrations-door.ts"
import type { FleetPauses } from "./tenants/pauses.ts"
import type { FleetOperations } from "./tenants/operations.ts"
import type { FleetTenants } from "./tenants/tenants-door.ts"
import { openTenant, type Tenant } from "./tenants/tenant.ts"

const DEFAULT_GRACE_MS = 10_000
const DRAIN_POLL_MS = 50
/** How long a transaction of the user's may do nothing between two statements. */
const IDLE_TRANSACTION_MS = 60_000
/** Doors of tenants that are kept, so that a call for each signal makes no new one. */
const MAX_DOORS = 1_000

let runningDatabase: (fleet: Fleet) => Database

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
  static {
    runningDatabase = (fleet) => fleet.#running().database
  }

  readonly telemetry = new Telemetry()
  readonly webhooks: ReadonlyMap<string, WebhookSource>
  /** Names this process in attempts. */
  readonly workerName = `${hostname()}:${process.pid}:${randomBytes(3).toString("hex")}`
  readonly #doors = new Map<string, Tenant>()
  readonly #options: FleetOptions
  readonly #access: FleetAccess
  readonly #commitListeners = new Set<CommitListener>()
  #cells: Cells | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  /** @throws FleetPromptError `config_invalid`, `handler_invalid` */
  constructor(options: FleetOptions) {
    this.#options = options
    checkSettings(options)
    checkCells(options)
    checkUnique("handler", options.handlers ?? [])
    checkUnique("schedule", options.schedules ?? [])
    byType(options.directives ?? [])
    checkUnique("webhook", options.webhooks ?? [])
    templatesOfFleet(options)
    checksByName(options.rolloutChecks ?? [])
    checkApiKeySettings(options.apiKeys ?? {})
    this.#access = fleetAccess(options.restrictions ?? {}, {
      telemetry: this.telemetry,
      running: () => this.#cells && this.#peopleDeps(),
      announce: () => this.#running().emitDeps.announcer.changed({ access: true }),
    })
    this.webhooks = new Map((options.webhooks ?? []).map((source) => [source.name, source]))
  }

  /** Tenants of this fleet. */
  readonly tenants: FleetTenants = openTenantsByCell(() => this.#cellsRunning())

  /** What is done to tenants and takes a while. */
  readonly operations: FleetOperations = openOperationsByCell(() => this.#cellsRunning())

  /** Who may do what: decides for every caller over HTTP, and for whoever asks it. */
  get access(): AccessPolicy {
    return this.#access.policy
  }

  /** Knows callers by their API keys. A tenant's keys are made and revoked at `fleet.tenant(slug).apiKeys`. */
  readonly apiKeys = {
    /**
     * Whose a key is; undefined when it is none, or does not work any more.
     *
     * @param address from where it came, for `lastUsedFrom`.
     * @throws FleetPromptError `database_busy`, `fleet_stopped`
     */
    check: (text: string, address?: string): Promise<Principal | undefined> =>
      this.#running().callers.checker.check(text, address),
  }

  /** Counts what callers do against limits that all processes share. */
  readonly limiter = {
    /**
     * Takes from a limit. While the database does not answer, each process counts for itself.
     *
     * @param subject whom it counts: an address, a tenant.
     * @param cost how much is taken; 0 only asks whether something is left. Default 1.
     * @throws FleetPromptError `config_invalid`, `fleet_stopped`
     * @example
     * const { allowed } = await fleet.limiter.take({ name: "sign-in", limit: 10, windowMs: 60_000 }, email)
     */
    take: async (limit: RequestLimit, subject: string, cost?: number): Promise<LimitVerdict> => {
      checkLimit(limit)
      return this.#running().callers.limiter.take(limit, subject, cost)
    },
  }

  /** The people of all organisations: who they are, by what they sign in, and what they are where. */
  readonly people: People = openPeople(() => this.#peopleDeps())

  /** Organisations: whose the tenants are. */
  readonly organisations: Organisations = openOrganisations(() => this.#peopleDeps())

  /** What was done to the platform itself, and to tenants that are not there. A tenant's own log is `tenant(slug).audit`. */
  readonly audit: AuditLog = openAuditLog(PLATFORM_LOG, () => {
    const { tenantDeps } = this.#running()
    return { ...tenantDeps, keys: tenantDeps.auditKeys }
  })

  /** The public key by which exports of audit logs are checked, `ed25519:…`; undefined when they are not signed. */
  async auditPublicKey(): Promise<string | undefined> {
    return (await this.#running().tenantDeps.auditKeys()).signer?.publicKey
  }

  /** What is not to be run for now, of one tenant or all, of one handler or all. */
  readonly pauses: FleetPauses = openPausesByCell(() => this.#cellsRunning())

  /** The migrations of tenants' schemas. */
  readonly migrations: Migrations = openMigrationsByCell(() => this.#cellsRunning())

  /** The key ring: what it seals, its rotation, keys derived from it. */
  readonly keys: FleetKeys = openKeys(() => ({
    ...this.#running(),
    // One that is away has credentials that would not be counted.
    databases: () =>
      this.#cellsRunning()
        .all()
        .map(({ parts }) => parts.database),
  }))

  /** What was ordered in any tenant, and what came of it. A tenant's own are `tenant(slug).directives`. */
  readonly directives: FleetDirectives = openFleetDirectives((slug) => this.tenant(slug).directives)

  /** The catalogue of packages, and what tenants say of them. */
  readonly packages: FleetPackages = Object.freeze({
    ...openPackages(() => ({ ...this.#peopleDeps(), platform: release })),
    plan: async (slug: string, request: PlanRequest) => this.tenant(slug).packages.plan(request),
    rollouts: openRollouts(() => this.#running().rolloutsDeps),
  })

  /** The schedules that ran in this fleet. */
  readonly schedules: Schedules = openSchedulesByCell(() => this.#cellsRunning())

  /** One tenant's door. @throws FleetPromptError `tenant_invalid` */
  tenant(slug: string): Tenant {
    const known = this.#doors.get(slug)
    if (known) return known
    const door = this.#options.databases
      ? openTenantByCell(slug, () => this.#cellsRunning())
      : openTenant(slug, () => this.#running().tenantDeps)
    // They are made again when they are asked for.
    if (this.#doors.size >= MAX_DOORS) this.#doors.clear()
    this.#doors.set(slug, door)
    return door
  }

  /** Which kind of database the fleet works on; of several, the first. */
  get databaseKind(): Database["kind"] {
    return this.#running().database.kind
  }

  /**
   * Opens the database, brings its own schema up to date, asks for the migration of tenants that are behind, which
   * handlers carry out meanwhile, and begins to run handlers.
   *
   * @throws FleetPromptError `config_invalid` when it runs already, and what opening the database throws
   */
  async start(): Promise<void> {
    if (this.#cells || this.#starting)
      throw new FleetPromptError(
        "config_invalid",
        "expected a fleet that is stopped, this one is running; call start once",
      )
    this.#starting = this.#start().finally(() => (this.#starting = undefined))
    await this.#starting
  }

  async #start(): Promise<void> {
    const cells = new Cells({
      name: this.workerName,
      options: this.#options,
      telemetry: this.telemetry,
      commitListeners: this.#commitListeners,
      access: this.#access.policy,
      onAccess: () => this.#access.doubt(),
      onCommit: (listener) => this.onCommit(listener),
    })
    await cells.start()
    this.#cells = cells
    // Where this fails, the first decision asks again.
    await this.#access.policy.refresh().catch(() => undefined)
    this.telemetry.tell("fleet.started", { worker: this.workerName, database: cells.main.database.kind })
  }

  /**
   * Stops claiming, lets running handlers end within the grace, gives the rest back, closes the database.
   * During a start it waits for that; a second call waits for the first.
   */
  async stop({ graceMs = DEFAULT_GRACE_MS }: StopOptions = {}): Promise<void> {
    // Whoever started it is told why that failed.
    await this.#starting?.catch(() => undefined)
    const cells = this.#cells
    if (!cells) return
    this.#stopping ??= this.#stop(cells, graceMs).finally(() => (this.#stopping = undefined))
    await this.#stopping
  }

  async #stop(cells: Cells, graceMs: number): Promise<void> {
    await this.#access.flush()
    const released = await cells.stop(graceMs)
    this.#cells = undefined
    await cells.close()
    this.telemetry.tell("fleet.stopped", { worker: this.workerName, released })
  }

  /**
   * Resolves when no delivery of any tenant is left to be done, retries included.
   *
   * @throws FleetPromptError `database_unreachable` while one of several databases is away
   */
  async drain(): Promise<void> {
    while ((await countAllOpen(this.#cellsRunning())) > 0) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS))
    }
  }

  /**
   * Whether the fleet can do its work: it is running and its database answers within 2 seconds. Further databases are
   * told of by name; while one of them is away the others go on, so it alone does not make the fleet unready. Never rejects.
   */
  health(): Promise<Health> {
    return checkCellsHealth(this.#cells, this.#stopping !== undefined)
  }

  /**
   * What is in the queue, and how the database is used; its cost grows with the queue. Of several databases those count
   * that can be reached.
   */
  async stats(): Promise<FleetStats> {
    return readAllStats(this.#cellsRunning())
  }

  /**
   * A transaction on the fleet's own database, to pass as `tx` to emit. Commits when `run` resolves. A server ends one
   * that does nothing for 60 seconds, unless its `idle_in_transaction_session_timeout` says otherwise.
   *
   * @param options with several databases, the tenant in whose database it is to be. Default: the first one.
   */
  async transaction<Result>(
    run: (tx: Transaction) => Promise<Result>,
    { tenant }: { readonly tenant?: string } = {},
  ): Promise<Result> {
    const cells = this.#cellsRunning()
    const { database } = tenant === undefined ? cells.main : cells.get(await cells.directory.find(tenant))
    return database.transaction(run, { idleMs: IDLE_TRANSACTION_MS, role: "login" })
  }

  /** Hears what any process of the fleet commits, until the returned function is called. */
  onCommit(listener: CommitListener): () => void {
    this.#commitListeners.add(listener)
    return () => void this.#commitListeners.delete(listener)
  }

  #peopleDeps(): OrganisationsDeps {
    const { database, emitDeps } = this.#running()
    return {
      database,
      scopeOf: (slug) => scopeOfTenant(slug, emitDeps),
      provision: (slug, options) => this.tenants.provision(slug, options),
    }
  }

  #running(): Parts {
    return this.#cellsRunning().main
  }

  #cellsRunning(): Cells {
    if (this.#cells) return this.#cells
    throw new FleetPromptError(
      "fleet_stopped",
      "expected a running fleet, this one was not started or was stopped; await fleet.start() first",
    )
  }
}

/**
 * The database of a running fleet, for what this package itself builds on it.
 *
 * @throws FleetPromptError `fleet_stopped`
 */
export function databaseOf(fleet: Fleet): Database {
  return runningDatabase(fleet)
}

/**
 * Makes a fleet; nothing runs before `start`.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function createFleet(options: FleetOptions = {}): Fleet {
  return new Fleet(options)
}
