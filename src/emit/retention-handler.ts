import { FleetPromptError } from "../errors.ts"
import type { PlacedTenant } from "../store/placements.ts"
import { type SchemaState, tenantFeatures } from "../store/tenant-features.ts"
import type { TenantClass } from "../store/tenants.ts"
import { checkDays, DEFAULT_DEDUPE_WINDOW_DAYS, retain, type RetentionDeps } from "./retention.ts"

/** How a fleet keeps signals. */
export interface RetentionOptions {
  /** Signals stored longer ago than so many days are removed, whole, 1 or more. Default 30. */
  readonly days?: number
  /** Days for tenants of a class, where they are others. Default: `days` for all. */
  readonly classDays?: { readonly [Class in TenantClass]?: number }
  /** How long the keys of removed signals are still known, days. Default 30. */
  readonly dedupeWindowDays?: number
  /** When each night, `HH:MM` in UTC. Default `03:00`. */
  readonly at?: string
}

/** Name of the built-in handler and of the built-in schedule. */
export const RETENTION = "fleetprompt.retention"
/** Type of the signal by which the schedule asks for a tenant's retention. */
export const RETENTION_DUE = "fleetprompt.retention.due"
const DEFAULT_DAYS = 30
/** One tenant's first night may have years to remove. What is cut goes on with the next attempt. */
const TIMEOUT_MS = 3_600_000

/** Tenants whose old signals are removed at once, in the whole fleet: it is work for the database, which serves others too. */
const AT_ONCE = 2
/** Everything else goes first. */
const PRIORITY = -50
const ATTEMPTS = 10

/** What a run of the built-in handler is given. */
interface RetentionRun {
  readonly tenant: string
  readonly abort: AbortSignal
}

/** What retention of any tenant needs to know. */
export interface RetentionHandlerDeps extends RetentionDeps {
  readonly placements: {
    readonly find: (
      slug: string,
    ) => Promise<Pick<PlacedTenant, "scope" | "class"> & { readonly schema: Pick<SchemaState, "schemaVersion"> }>
  }
}

/**
 * The built-in handler, to be given to `defineHandler`: removes the old signals of a tenant when the schedule asks.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function retentionHandler(options: RetentionOptions, deps: () => RetentionHandlerDeps) {
  const { days = DEFAULT_DAYS, classDays = {}, dedupeWindowDays = DEFAULT_DEDUPE_WINDOW_DAYS } = options
  checkKept("retention.days", days)
  for (const [name, each] of Object.entries(classDays)) checkKept(`retention.classDays.${name}`, each)
  checkDays("retention.dedupeWindowDays", dedupeWindowDays)
  return {
    name: RETENTION,
    on: RETENTION_DUE,
    timeoutMs: TIMEOUT_MS,
    concurrency: { global: AT_ONCE, perTenant: 1 },
    priority: PRIORITY,
    retry: { attempts: ATTEMPTS },
    replay: "skip" as const,
    run: async ({ tenant, abort }: RetentionRun): Promise<void> => {
      const { scope, class: tenantClass, schema } = await deps().placements.find(tenant)
      const hasDirectives = schema.schemaVersion >= tenantFeatures.directives
      await retain(scope, { days: classDays[tenantClass] ?? days, dedupeWindowDays, hasDirectives, abort }, deps())
    },
  }
}

/** @throws FleetPromptError `config_invalid` */
function checkKept(name: string, days: number): void {
  if (Number.isInteger(checkDays(name, days)) && days >= 1) return
  throw new FleetPromptError(
    "config_invalid",
    `expected a whole number of 1 or more as ${name}, got ${days}; to keep signals for good, say retention: false`,
  )
}

const TIME_OF_DAY = /^([01]\d|2[0-3]):([0-5]\d)$/

/**
 * The built-in schedule, to be given to `defineSchedule`: asks every tenant for its retention each night.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function retentionSchedule({ at = "03:00" }: RetentionOptions) {
  const [, hour, minute] = TIME_OF_DAY.exec(at) ?? []
  if (hour === undefined || minute === undefined)
    throw new FleetPromptError("config_invalid", `expected a time such as "03:00" as retention.at, got "${at}"`)
  return {
    name: RETENTION,
    cron: `${Number(minute)} ${Number(hour)} * * *`,
    emit: { type: RETENTION_DUE, source: RETENTION },
  } as const
}
