import { appendAudit, appendPlatformAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Database, Transaction } from "../store/database.ts"
import { ALL, deletePause, insertPause, type Pause, type PauseScope, selectPauses } from "../store/pauses.ts"
import type { Placements } from "../store/placements.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { actEntry, type RequestedBy } from "./act-entry.ts"

/** What to pause of a tenant, who asks for it, and why. */
export interface TenantPauseOptions extends RequestedBy {
  /** Only this handler. Default: every handler. */
  readonly handler?: string
  /** Why, for people: `list` shows it too. */
  readonly reason?: string
}

/** What to pause, who asks for it, and why. */
export interface PauseOptions extends TenantPauseOptions {
  /** Only this tenant. Default: every tenant. */
  readonly tenant?: string
}

/**
 * Holding deliveries back. A pause lasts until it is resumed, through restarts; what runs already runs on. Each is in
 * the audit log in the same commit: a tenant's in the tenant's, the others in the platform's.
 */
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
  readonly resume: (options: PauseOptions) => Promise<boolean>
  /** All pauses, the oldest first. */
  readonly list: () => Promise<readonly Pause[]>
}

/** Holding a tenant's deliveries back. */
export interface TenantPauses {
  /** As `fleet.pauses.pause`, for this tenant. */
  readonly pause: (options?: TenantPauseOptions) => Promise<Pause>
  /** As `fleet.pauses.resume`, for this tenant. */
  readonly resume: (options?: TenantPauseOptions) => Promise<boolean>
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
    pause: async (options: PauseOptions) => {
      const { announcer } = deps()
      const scope = scopeOf(options)
      const pause = await noted("handler.pause", options, deps(), (tx) => insertPause(tx, scope, options.reason))
      announcer.changed({ pauses: true })
      return pause
    },
    resume: async (options: PauseOptions) => {
      const { announcer } = deps()
      const scope = scopeOf(options)
      const wasPaused = await noted("handler.resume", options, deps(), (tx) => deletePause(tx, scope))
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
    resume: (options: TenantPauseOptions = {}) => resume({ ...options, tenant }),
  })
}

/**
 * Does something and notes it, in one commit; where it answers false, nothing was done. What is of one tenant is done in
 * its name.
 */
async function noted<Result extends Pause | boolean>(
  action: string,
  { tenant, handler = ALL, ...request }: PauseOptions,
  { database, placements }: PausesDeps,
  act: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  const entry = actEntry(action, `handler:${handler}`, request)
  const actAndNote =
    (note: (tx: Transaction) => Promise<void>) =>
    async (tx: Transaction): Promise<Result> => {
      const result = await act(tx)
      if (result !== false) await note(tx)
      return result
    }
  if (tenant === undefined) return database.transaction(actAndNote((tx) => appendPlatformAudit(tx, [entry])))
  const { scope } = await placements.find(tenant)
  return withinTenant(
    database,
    scope,
    actAndNote((tx) => appendAudit(tx, scope, [entry])),
  )
}

function scopeOf({ tenant, handler }: PauseOptions): PauseScope {
  if (handler !== undefined && (typeof handler !== "string" || !HANDLER.test(handler)))
    throw new FleetPromptError("query_invalid", "expected the name of a handler; leave it out for every handler")
  return { tenant: tenant ?? ALL, handler: handler ?? ALL }
}

/** A handler of another process, or of another release, may be meant. */
const HANDLER = /^[\w.-]{1,165}$/
