import { PLATFORM } from "../../guard/slug.ts"
import type { JsonValue } from "../../signal/json.ts"
import type { Announcer } from "../../store/announcer.ts"
import type { Database, Transaction } from "../../store/database.ts"
import type { Placements } from "../../store/placements.ts"
import { GrowingPause } from "../../store/growing-pause.ts"
import { latestVersion } from "../../store/migration-kind.ts"
import { beginRun, completeRun, endAttempt, type MigrationRun } from "../../store/migration-runs.ts"
import { endQuarantine, quarantine, schemaUnit } from "../../store/schema-units.ts"
import type { Migration } from "../../store/sql.ts"
import { stopwatch } from "../../telemetry/stopwatch.ts"
import type { Telemetry } from "../../telemetry/telemetry.ts"
import { migrateUnit } from "./migrate-unit.ts"
import { migrationError, passesByItself } from "./migration-error.ts"

/** Name of the built-in handler. */
export const MIGRATION = "fleetprompt.migration"
/** Type of the platform's signal by which a tenant's schema is asked to be migrated. */
export const MIGRATION_REQUESTED = "tenant.migration.requested"

/** Schemas that are migrated at once in the whole fleet when nothing else is said. */
export const DEFAULT_CONCURRENCY = 4
/** Attempts before a tenant is put into quarantine. */
const ATTEMPTS = 5
/** One migration may rewrite a large table. */
const TIMEOUT_MS = 3_600_000
/** Tries within an attempt while the database has trouble or a lock is not to be had. */
const TRIES = 5
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 2_000
/** After so many tries something else has its turn, milliseconds. */
const SNOOZE_MS = 5_000
/** A lock that is not to be had for so long counts as a failure, milliseconds. */
const PATIENCE_MS = 6 * 3_600_000

/** What a request for a migration says. */
export interface MigrationRequest {
  /** Id of the row in the ledger. */
  readonly run: string
  /** The tenant's slug, or `*` for the shared schema. */
  readonly tenant: string
  /** To which version. */
  readonly version: number
  /** The tenant's class, whose migrations go in this order: shared, enterprise, premium, standard. */
  readonly class: "shared" | "enterprise" | "premium" | "standard"
}

/** How schemas are migrated. */
export interface MigrationHandlerDeps {
  readonly database: Pick<Database, "query" | "owner">
  readonly migrations: readonly Migration[]
  readonly announcer: Pick<Announcer, "changed">
  readonly telemetry: Telemetry
  readonly placements: Pick<Placements, "doubt">
}

/** What a run of the built-in handler is given. */
interface HandlerRun {
  readonly tenant: string
  readonly signal: { readonly data: JsonValue }
  readonly attempt: number
  readonly abort: AbortSignal
}

const PRIORITY: Readonly<Record<MigrationRequest["class"], number>> = {
  shared: 30,
  enterprise: 20,
  premium: 10,
  standard: 0,
}

/**
 * The built-in handler, to be given to `defineHandler`: migrates one schema when the platform asks for it. Its version
 * is that of the last migration, so that a process of an older release leaves the request to a newer one.
 */
export function migrationHandler(
  { concurrency, migrations }: { readonly concurrency: number; readonly migrations: readonly Migration[] },
  deps: () => MigrationHandlerDeps,
) {
  return {
    name: MIGRATION,
    on: MIGRATION_REQUESTED,
    version: Math.max(1, latestVersion(migrations)),
    where: ({ tenant }: { readonly tenant: string }) => tenant === PLATFORM,
    timeoutMs: TIMEOUT_MS,
    concurrency: { global: concurrency },
    priority: ({ data }: { readonly data: JsonValue }) => PRIORITY[requestOf(data).class],
    retry: { attempts: ATTEMPTS, backoff: { firstMs: 1_000, longestMs: 30_000 } },
    replay: "skip" as const,
    run: async ({ signal, attempt, abort }: HandlerRun) => runMigration(requestOf(signal.data), attempt, abort, deps()),
  }
}

/** Only `requestMigrations` emits such signals, into the platform's own schema. */
function requestOf(data: JsonValue): MigrationRequest {
  return data as unknown as MigrationRequest
}

interface Snooze {
  readonly kind: "snooze"
  readonly ms: number
}

async function runMigration(
  request: MigrationRequest,
  attempt: number,
  abort: AbortSignal,
  deps: MigrationHandlerDeps,
): Promise<Snooze | undefined> {
  const { database, telemetry } = deps
  const run = await beginRun(database, request.run, attempt)
  // It was skipped.
  if (!run) return undefined
  const elapsed = stopwatch()
  try {
    await migrateRun(run, abort, deps)
    const { tenant, fromVersion, toVersion } = run
    telemetry.tell("tenant.migrated", { tenant, fromVersion, toVersion, attempt, durationMs: elapsed() })
    return undefined
  } catch (error) {
    if (abort.aborted) throw error
    return endFailed(run, attempt, error, deps)
  }
}

async function migrateRun(run: MigrationRun, abort: AbortSignal, deps: MigrationHandlerDeps): Promise<void> {
  const unit = schemaUnit(run.tenant)
  let wasHeld = false
  const onComplete = async (tx: Transaction): Promise<void> => {
    await completeRun(tx, run.id)
    wasHeld = await endQuarantine(tx, run.tenant)
  }
  const { owner } = deps.database
  const isThere = await again(abort, () =>
    migrateUnit(unit, run.toVersion, { owner, migrations: deps.migrations, onComplete }, abort),
  )
  // The tenant is gone: nothing is left to be done.
  if (!isThere) await completeRun(deps.database, run.id)
  // Others see within two seconds what it can do now, which is soon enough; a thousand tenants are not announced.
  if (wasHeld) tellChanged(deps)
  else deps.placements.doubt()
}

/** Every process reads anew what it knows of tenants and of what is held back. */
function tellChanged({ placements, announcer }: MigrationHandlerDeps): void {
  placements.doubt()
  announcer.changed({ pauses: true, tenants: true })
}

/** Tries a few times while what is in the way goes away by itself: each try waits for a lock for half a second at most. */
async function again<Result>(abort: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  const pause = new GrowingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (abort.aborted || tries === TRIES || !passesByItself(error)) throw error
      await pause.rest()
    }
  }
}

/** What is in the way for now is no failure of the migration: it comes back without counting the attempt, for hours. */
async function endFailed(
  run: MigrationRun,
  attempt: number,
  error: unknown,
  deps: MigrationHandlerDeps,
): Promise<Snooze> {
  const { database, telemetry } = deps
  const reason = migrationError(error)
  const isPatient = passesByItself(error) && Date.now() - Date.parse(run.queuedAt) < PATIENCE_MS
  const isLast = attempt >= ATTEMPTS && !isPatient
  const { tenant, toVersion } = run
  const fields = { tenant, fromVersion: run.fromVersion, toVersion, attempt, error }
  await database.owner.transaction(async (tx) => {
    await endAttempt(tx, run.id, isLast ? "failed" : "queued", reason)
    if (isLast) await quarantine(tx, tenant, `migration to version ${toVersion} failed: ${reason.message}`)
  })
  telemetry.tell("tenant.migration_failed", { ...fields, kind: reason.kind, isQuarantined: isLast })
  if (isLast) tellChanged(deps)
  if (isPatient) return { kind: "snooze", ms: SNOOZE_MS }
  throw error
}
