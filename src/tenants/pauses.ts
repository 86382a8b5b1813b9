import { FleetPromptError } from "../errors.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Database, Queryable } from "../store/database.ts"
import { ALL, deletePause, insertPause, type Pause, type PauseScope, selectPauses } from "../store/pauses.ts"
import type { Placements } from "../store/placements.ts"
import { tenantDatabase } from "../store/within-tenant.ts"

/** What to pause of a tenant. */
export interface TenantPauseOptions {
  /** Only this handler. Default: every handler. */
  readonly handler?: string
  /** Why, for people. */
  readonly reason?: string
}

/** What to pause. */
export interface PauseOptions extends TenantPauseOptions {
  /** Only this tenant. Default: every tenant. */
  readonly tenant?: string
}

/** Holding deliveries back. A pause lasts until it is resumed, through restarts; what runs already runs on. */
export interface FleetPauses {
  /**
   * Holds back the deliveries of a tenant, a handler, a handler of a tenant, or all. A second pause of the
   * same leaves the first and takes over the reason.
   *
   * @throws FleetPromptError `tenant_invalid`, `tenant_unknown`, `query_invalid`
   * @example
   * await fleet.pauses.pause({ handler: "mail.send", reason: "the mail service is down" })
   */
  readonly pause: (options: PauseOptions) => Promise<Pause>
  /**
   * Ends the pause of exactly these; one that is wider or narrower stays.
   *
   * @returns whether there was one.
   */
  readonly resume: (options: Omit<PauseOptions, "reason">) => Promise<boolean>
  /** All pauses, the oldest first. */
  readonly list: () => Promise<readonly Pause[]>
}

/** Holding a tenant's deliveries back. */
export interface TenantPauses {
  /** As `fleet.pauses.pause`, for this tenant. */
  readonly pause: (options?: TenantPauseOptions) => Promise<Pause>
  /** As `fleet.pauses.resume`, for this tenant. */
  readonly resume: (options?: Omit<TenantPauseOptions, "reason">) => Promise<boolean>
}

/** What pauses need. */
export interface PausesDeps {
  readonly database: Database
  readonly placements: Pick<Placements, "find">
  readonly announcer: Pick<Announcer, "changed">
}

/** The pauses of a fleet. */
export function openPauses(deps: () => PausesDeps): FleetPauses {
  return Object.freeze({
    pause: async ({ reason, ...options }: PauseOptions) => {
      const { announcer } = deps()
      const pause = await insertPause(await databaseOf(options, deps()), scopeOf(options), reason)
      announcer.changed({ pauses: true })
      return pause
    },
    resume: async (options: Omit<PauseOptions, "reason">) => {
      const { announcer } = deps()
      const wasPaused = await deletePause(await databaseOf(options, deps()), scopeOf(options))
      if (wasPaused) announcer.changed({ pauses: true })
      return wasPaused
    },
    list: () => selectPauses(deps().database),
  })
}

/** The pauses of one tenant. */
export function openTenantPauses(tenant: string, deps: () => PausesDeps): TenantPauses {
  const { pause, resume } = openPauses(deps)
  return Object.freeze({
    pause: (options: TenantPauseOptions = {}) => pause({ ...options, tenant }),
    resume: (options: Omit<TenantPauseOptions, "reason"> = {}) => resume({ ...options, tenant }),
  })
}

/** What is of one tenant is done in its name. */
async function databaseOf({ tenant }: PauseOptions, { database, placements }: PausesDeps): Promise<Queryable> {
  return tenant === undefined ? database : tenantDatabase(database, (await placements.find(tenant)).scope)
}

function scopeOf({ tenant, handler }: PauseOptions): PauseScope {
  if (handler !== undefined && (typeof handler !== "string" || !HANDLER.test(handler)))
    throw new FleetPromptError("query_invalid", "expected the name of a handler; leave it out for every handler")
  return { tenant: tenant ?? ALL, handler: handler ?? ALL }
}

/** A handler of another process, or of another release, may be meant. */
const HANDLER = /^[\w.-]{1,100}$/
