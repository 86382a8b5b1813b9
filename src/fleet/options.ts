import type { Restrictions } from "../access/restrictions.ts"
import type { AuditKeyOptions } from "../audit/audit-key-source.ts"
import type { WebhookSource } from "../connectors/webhook-source.ts"
import type { KeyService } from "../credentials/key-service.ts"
import type { CredentialRefresher } from "../credentials/refresh.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { Directive } from "../directives/directive.ts"
import type { Schedule } from "../delivery/schedule.ts"
import type { Template } from "../delivery/template.ts"
import type { WorkerSettings } from "../delivery/worker.ts"
import type { EmitQueueSettings } from "../emit/admission.ts"
import type { RetentionOptions } from "../emit/retention-handler.ts"
import { FleetPromptError } from "../errors.ts"
import type { RolloutCheck } from "../packages/rollouts/rollout-check.ts"
import type { News } from "../store/announcements.ts"
import { MAIN_CELL } from "../store/cells.ts"
import type { Database } from "../store/database.ts"
import type { Migration } from "../store/sql.ts"
import type { DatabaseSettings } from "../store/open-database.ts"
import type { ApiKeySettings } from "./callers.ts"

/** What a fleet is made of. */
export interface FleetOptions {
  /** A Postgres server: `postgres://user:password@host:port/database`. Default: the embedded database. */
  readonly databaseUrl?: string | undefined
  /** That server directly, for notifications, when `databaseUrl` leads to a PgBouncer. Without it such a fleet only polls. */
  readonly listenUrl?: string | undefined
  /**
   * That server directly, with a login that owns the schemas: used for migrations and for making tenants, and for
   * nothing else, so that the login of `databaseUrl` needs to own nothing. Default: `databaseUrl`.
   */
  readonly ownerUrl?: string | undefined
  /** Connections to a server at most, besides those of the engine and the one that listens. Default 10. */
  readonly maxConnections?: number
  /** Connections to a server at most for the engine's own short statements; they are opened as they are needed. Default 10. */
  readonly hotConnections?: number
  /** Where the embedded database keeps its files; `memory` keeps nothing. Default `.fleetprompt/data`. */
  readonly dataDirectory?: string | undefined
  /** A database that is open, instead of the above. The fleet closes it when it stops. */
  readonly database?: Database
  /**
   * Further databases by name, for tenants that are placed there: each has its own queue, and this process works on
   * all of them. The first database, called `main`, has the people, the keys and what says where each tenant is.
   * Default: none.
   */
  readonly databases?: Readonly<Record<string, CellOptions>> | undefined
  /** The code that runs on signals. */
  readonly handlers?: readonly Handler[]
  /** What may be requested, and what is done then. Default: nothing. */
  readonly directives?: readonly Directive[]
  /** Code that packages bind to signals of tenants, or let be called by name. Default: none. */
  readonly templates?: readonly Template[]
  /** Health gates of rollouts, by name, besides `deliveries.failed`. Default: none. */
  readonly rolloutChecks?: readonly RolloutCheck[]
  /** Work by the clock: each slot emits a signal into each tenant it chooses. */
  readonly schedules?: readonly Schedule[]
  /** How long signals are kept. Default: 30 days, removed each night at 03:00 UTC; false keeps them for good. */
  readonly retention?: RetentionOptions | false
  /** Webhooks that come in. */
  readonly webhooks?: readonly WebhookSource[]
  /** Whether this process runs handlers, and how. Default: it does. */
  readonly worker?: Partial<WorkerSettings> | false
  /** How many emits this process may have under way, and what happens beyond. Default: 10,000, then callers wait. */
  readonly emitQueue?: Partial<EmitQueueSettings>
  /** Longest data of a signal, bytes of JSON. Default 1,048,576. Webhooks have their source's limit. */
  readonly maxDataBytes?: number
  /**
   * Roles that may still do something, by what it is: takes away from the table of policies, never adds. For this
   * process; `fleet.access.restrict` takes away in all, while the fleet runs. Default: nothing is taken away.
   */
  readonly restrictions?: Restrictions
  /** How the schemas of tenants are brought up to this release. Default: all are asked for at the start, 4 at once. */
  readonly migrations?: MigrationOptions
  /** @internal Other migrations of tenants' schemas than those of the release. */
  readonly tenantMigrations?: readonly Migration[]
  /** How audit logs are signed. */
  readonly audit?: AuditOptions
  /** How API keys are made and checked. */
  readonly apiKeys?: ApiKeySettings
  /**
   * The key ring that seals credentials, and that other keys are derived from: `localKeys`, `keyFile` or a key management
   * service. Default: with the embedded database a file `keys` in its data directory, made when it is missing, for
   * development; with a server, and in production, none, and what needs one says so.
   */
  readonly keys?: KeyService | undefined
  /** What gets new secrets for credentials of the kind `oauth2`, one for each provider. Default: none. */
  readonly credentialRefreshers?: readonly CredentialRefresher[]
  /**
   * Whether this is no development: what is unsafe is then refused, such as a server on which tenants are not kept apart
   * (a login that is a superuser or owns the tables, a table without its wall), which otherwise is told as
   * `database.risk`. Default: whether NODE_ENV is production.
   */
  readonly production?: boolean
  /** Is told each step of a start that takes time. */
  readonly onProgress?: (step: string) => void
}

/** A further database of a fleet, a cell. One of `databaseUrl`, `dataDirectory` and `database` is needed. */
export type CellOptions = Pick<
  FleetOptions,
  "databaseUrl" | "listenUrl" | "ownerUrl" | "maxConnections" | "hotConnections" | "dataDirectory" | "database"
>

/** How audit logs are signed and written. */
export interface AuditOptions extends AuditKeyOptions {
  /** How often to look for entries that wait for their places, milliseconds. Default 1,000. */
  readonly pollMs?: number
}

/** How the schemas of tenants are brought up to date. */
export interface MigrationOptions {
  /** Schemas migrated at once in the whole fleet, 1 to 100. Default 4. */
  readonly concurrency?: number
  /** Whether the fleet asks for migrations when it starts. Default true; `fleetprompt migrate` asks too. */
  readonly auto?: boolean
  /** Whether it also asks for those that processes of the release before cannot work with. Default false. */
  readonly breaking?: boolean
}

/** How a fleet stops. */
export interface StopOptions {
  /** How long running handlers may take to end, milliseconds. Default 10,000. */
  readonly graceMs?: number
}

/** What a listener hears of commits, its own process's and others'. */
export interface CommitListener {
  /** New signals of a tenant, or deliveries that moved. Only a hint: one may get lost. */
  readonly onCommit: (news: News) => void
  /** Some were lost, or were too many to be named. */
  readonly onGap: () => void
}

/** The default of `FleetOptions.dataDirectory`. */
export const DEFAULT_DATA_DIRECTORY = ".fleetprompt/data"
/** The data directory that keeps nothing. */
export const MEMORY = "memory"

/** The part of the options that says which database to open. */
export function databaseSettings(options: FleetOptions): DatabaseSettings {
  const { databaseUrl, listenUrl, ownerUrl, maxConnections, hotConnections, onProgress } = options
  const { dataDirectory = DEFAULT_DATA_DIRECTORY } = options
  return {
    ...(databaseUrl !== undefined && { databaseUrl }),
    ...(listenUrl !== undefined && { listenUrl }),
    ...(ownerUrl !== undefined && { ownerUrl }),
    ...(maxConnections !== undefined && { maxConnections }),
    ...(hotConnections !== undefined && { hotConnections }),
    ...(dataDirectory !== MEMORY && { dataDirectory }),
    ...(onProgress && { onProgress }),
  }
}

/** What a further database of a fleet is opened with: all that is not of one database is the same. */
export function optionsOfCell(options: FleetOptions, name: string): FleetOptions {
  const { database: _, databaseUrl: _url, listenUrl, ownerUrl, dataDirectory, databases, ...shared } = options
  return { ...shared, ...databases?.[name] }
}

const CELL_NAME = /^[a-z][a-z0-9_-]{0,30}$/

/** @throws FleetPromptError `config_invalid` when a further database has no name or no place */
export function checkCells({ databases = {} }: FleetOptions): void {
  for (const [name, { databaseUrl, dataDirectory, database }] of Object.entries(databases)) {
    if (!CELL_NAME.test(name) || name === MAIN_CELL)
      throw new FleetPromptError(
        "config_invalid",
        `expected small letters, digits, "_" and "-" as name of a further database, and not "${MAIN_CELL}", which is the first, got ${JSON.stringify(name.slice(0, 40))}`,
      )
    if (databaseUrl === undefined && dataDirectory === undefined && database === undefined)
      throw new FleetPromptError(
        "config_invalid",
        `expected databaseUrl or dataDirectory for the further database "${name}", got neither`,
      )
  }
}

/** Timers fire at once beyond this. */
const MAX_MS = 2_147_483_647
const RANGES: Readonly<Record<string, readonly [min: number, max: number]>> = {
  "worker.concurrency": [1, 100_000],
  "worker.leaseMs": [100, MAX_MS],
  "worker.pollMs": [1, MAX_MS],
  "emitQueue.limit": [1, 10_000_000],
  "emitQueue.waitMs": [0, MAX_MS],
  maxDataBytes: [1, 1_000_000_000],
  "migrations.concurrency": [1, 100],
}

/** @throws FleetPromptError `config_invalid` when a number is none that a fleet can work with */
export function checkSettings({ worker, emitQueue, maxDataBytes, migrations }: FleetOptions): void {
  const given = {
    ...(worker !== false && prefixed("worker", worker)),
    ...prefixed("emitQueue", emitQueue),
    ...prefixed("migrations", migrations),
    ...(maxDataBytes !== undefined && { maxDataBytes }),
  }
  for (const [name, value] of Object.entries<unknown>(given)) {
    const range = RANGES[name]
    if (!range || (Number.isInteger(value) && Number(value) >= range[0] && Number(value) <= range[1])) continue
    throw new FleetPromptError(
      "config_invalid",
      `expected a whole number from ${range[0]} to ${range[1]} as ${name}, got ${String(value)}; leave it out for the default`,
    )
  }
}

function prefixed(prefix: string, settings: object | undefined): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(settings ?? {}).map(([name, value]) => [`${prefix}.${name}`, value]))
}

/** @throws FleetPromptError `config_invalid` when a name occurs twice */
export function checkUnique(what: string, named: readonly { readonly name: string }[]): void {
  const names = named.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return
  throw new FleetPromptError(
    "config_invalid",
    `expected each ${what} to have a name of its own, got two called "${twice}"; rename one`,
  )
}
