import { setTimeout as sleep } from "node:timers/promises"
import { FleetPromptError } from "../errors.ts"
import type { Database, Queryable } from "../store/database.ts"
import { deleteExpiredKeys, insertExpiredKeys, type KeptKey } from "../store/expired-keys.ts"
import { deleteSignals, selectExpired } from "../store/retention.ts"
import { selectSignals } from "../store/signals.ts"
import type { Cursor } from "../store/signal-order.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { isTransient } from "../store/transient.ts"
import { tenantDatabase } from "../store/within-tenant.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { contentHash } from "./content-hash.ts"

/** What retention works with. */
export interface RetentionDeps {
  readonly database: Pick<Database, "transaction" | "of">
  readonly telemetry: Telemetry
}

/** How one tenant's old signals are removed. */
export interface RetainOptions {
  /** Signals stored longer ago than this are removed. */
  readonly days: number
  /** How long the keys of removed signals are still known, so that a late duplicate is one. 0: not at all. Default 30. */
  readonly dedupeWindowDays?: number
  /** Signals looked at in one go, each go a transaction. Default 1,000. */
  readonly batch?: number
  /** Whether the tenant's schema has directives: signals of those that have not ended stay. Default false. */
  readonly hasDirectives?: boolean
  /** Ends it after the batch under way; what was removed stays removed. */
  readonly abort?: AbortSignal
}

/** What was removed. */
export interface Retained {
  readonly signals: number
  /** Keys whose window was over. */
  readonly keys: number
}

/** How long the keys of removed signals are known where nothing else is said. */
export const DEFAULT_DEDUPE_WINDOW_DAYS = 30
const DEFAULT_BATCH = 1_000
/** Signals whose data is in memory at once, to be hashed. */
const HASHED_AT_ONCE = 50
/** Longest rest after a batch, milliseconds. */
const MAX_REST_MS = 1_000
/** How often one batch is tried when the database has trouble. */
const MAX_TRIES = 5

/**
 * Removes a tenant's old signals with their links, attempts and dead letters, the oldest first, in small
 * transactions with a rest after each as long as the batch took. A signal with an open delivery stays until that is
 * done, and one of a directive's stages until the directive has ended. The keys of what is removed are kept for a while. May be cut anywhere and run twice at once: it begins anew
 * and finds what is left.
 *
 * @throws FleetPromptError `config_invalid`, and what the database throws
 * @throws the abort's reason
 * @example
 * await retain(scope, { days: 90, abort }, { database, telemetry })
 */
export async function retain(scope: TenantScope, options: RetainOptions, deps: RetentionDeps): Promise<Retained> {
  const { days, dedupeWindowDays = DEFAULT_DEDUPE_WINDOW_DAYS, batch = DEFAULT_BATCH, abort } = options
  const { hasDirectives = false } = options
  const settings = {
    days: checkDays("days", days),
    dedupeWindowDays: checkDays("dedupeWindowDays", dedupeWindowDays),
    batch,
    hasDirectives,
    abort,
  }
  return deps.telemetry.span(
    "retention",
    { tenant: scope.slug },
    async () => {
      // Before the signals, so that no key whose time is over is in the way of one that is to be kept.
      const keys = await removeKeys(scope, settings, deps)
      return { signals: await removeSignals(scope, settings, deps), keys }
    },
    ({ signals }) => ({ signals }),
  )
}

interface Settings {
  readonly hasDirectives: boolean
  readonly days: number
  readonly dedupeWindowDays: number
  readonly batch: number
  readonly abort: AbortSignal | undefined
}

async function removeSignals(scope: TenantScope, settings: Settings, deps: RetentionDeps): Promise<number> {
  let removed = 0
  let after: Cursor | null = null
  do {
    const from: Cursor | null = after
    const batch: Batch = await inBatches(settings, () => removeBatch(scope, settings, from, deps))
    removed += batch.removed
    after = batch.next
  } while (after !== null)
  return removed
}

async function removeKeys(scope: TenantScope, settings: Settings, deps: RetentionDeps): Promise<number> {
  const database = tenantDatabase(deps.database, scope)
  let removed = 0
  for (let last = settings.batch; last === settings.batch; removed += last)
    last = await inBatches(settings, () => deleteExpiredKeys(database, scope, settings.batch))
  return removed
}

interface Batch {
  readonly removed: number
  readonly next: Cursor | null
}

async function removeBatch(
  scope: TenantScope,
  { days, dedupeWindowDays, batch, hasDirectives }: Settings,
  after: Cursor | null,
  { telemetry, ...deps }: RetentionDeps,
): Promise<Batch> {
  const database = tenantDatabase(deps.database, scope)
  const elapsed = stopwatch()
  const { ids, keyedIds, next } = await selectExpired(database, scope, { days, after, limit: batch, hasDirectives })
  if (ids.length === 0) return { removed: 0, next }
  if (dedupeWindowDays > 0) await keepKeys(scope, keyedIds, dedupeWindowDays, database)
  const removed = await deleteSignals(database, scope, ids)
  telemetry.tell("retention.batch", { tenant: scope.slug, signals: removed, durationMs: elapsed() })
  return { removed, next }
}

async function keepKeys(scope: TenantScope, ids: readonly string[], days: number, database: Queryable): Promise<void> {
  const keys: KeptKey[] = []
  for (let at = 0; at < ids.length; at += HASHED_AT_ONCE) {
    const signals = await selectSignals(database, scope, ids.slice(at, at + HASHED_AT_ONCE))
    keys.push(...signals.map((signal) => ({ signalId: signal.id, contentHash: contentHash(signal) })))
  }
  if (keys.length > 0) await insertExpiredKeys(database, scope, keys, days)
}

/** Runs one batch, again when the database has trouble, then rests, so that it takes at most half of what the database can do. */
async function inBatches<Result>({ abort }: Settings, run: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    abort?.throwIfAborted()
    const elapsed = stopwatch()
    try {
      return await run()
    } catch (error) {
      if (!isTransient(error) || tries === MAX_TRIES) throw error
    } finally {
      await rest(Math.min(elapsed() * tries, MAX_REST_MS), abort)
    }
  }
}

/** An abort ends the rest, and is seen by the next batch. */
async function rest(ms: number, abort: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, abort ? { signal: abort } : {}).catch(() => undefined)
}

/**
 * Refuses what is no number of days.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function checkDays(name: string, days: number): number {
  if (Number.isFinite(days) && days >= 0 && days <= MAX_DAYS) return days
  throw new FleetPromptError("config_invalid", `expected 0 to ${MAX_DAYS} as ${name}, got ${String(days)}`)
}

/** A hundred years. */
const MAX_DAYS = 36_525
