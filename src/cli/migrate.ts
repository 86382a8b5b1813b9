import { setTimeout as sleep } from "node:timers/promises"
import { createFleet, type Fleet } from "../fleet.ts"
import type { FleetOptions } from "../fleet/options.ts"
import type { Migration } from "../store/sql.ts"
import type { MigrationState } from "../tenants/migrations/migrations-door.ts"
import type { CommandContext } from "./command-context.ts"
import { fleetSettings } from "./fleet-settings.ts"
import { migrationPlan, migrationState } from "./migration-reports.ts"
import { failureTable, planText, stateText } from "./migration-tables.ts"
import { progressBar } from "./progress-bar.ts"

/** Options of `fleetprompt migrate`. */
export interface MigrateOptions {
  /** Only tell how the schemas stand. */
  readonly status: boolean
  /** Only tell what would be done. */
  readonly dryRun: boolean
  /** Only this tenant's schema, or `*`, the shared one. */
  readonly tenant?: string
  /** Schemas migrated at once. */
  readonly concurrency: number
  /** Whether what failed is tried again. */
  readonly retryFailed: boolean
  /** Whether migrations that processes of the release before cannot work with are run too. */
  readonly breaking: boolean
  /** Files of the embedded database. */
  readonly dataDirectory: string
  readonly json: boolean
  /** Other migrations than those of the release, for benchmarks and tests. */
  readonly migrations?: readonly Migration[]
}

/** How often it is looked how far it got, milliseconds. */
const LOOK_MS = 500
/** How long a migration under way may take to end after Ctrl-C, milliseconds. */
const GRACE_MS = 30_000
const FAILED = 1
const INTERRUPTED = 130
const LISTED = 1_000

/**
 * Brings the control schema up to date, then the schemas of tenants, and waits for them. The work is done by handlers
 * of this process and of all others that run; whoever is stopped or killed leaves it to the others.
 */
export async function migrate(options: MigrateOptions, context: CommandContext): Promise<void> {
  if (options.dryRun) return tellPlan(options, context)
  if (options.status) return tellState(options, context)
  await migrateAll(options, context)
}

async function tellPlan(options: MigrateOptions, context: CommandContext): Promise<void> {
  const plan = await migrationPlan(settingsOf(options, context), options)
  context.output(options.json ? JSON.stringify(plan) : planText(plan))
}

async function tellState(options: MigrateOptions, context: CommandContext): Promise<void> {
  const state = await migrationState(settingsOf(options, context), options)
  context.output(options.json ? JSON.stringify(state) : stateText(state))
  if ((state.migrations?.runs.failed ?? 0) > 0) process.exitCode = FAILED
}

async function migrateAll(options: MigrateOptions, context: CommandContext): Promise<void> {
  const { terminal, output, stop } = context
  const startedAt = performance.now()
  const fleet = createFleet({
    ...settingsOf(options, context),
    retention: false,
    worker: { concurrency: options.concurrency },
    migrations: { auto: false, concurrency: options.concurrency },
    onProgress: (step) => terminal.line(`· ${step}`),
  })
  await fleet.start()
  try {
    await ask(fleet, options)
    const total = await untilMigrated(fleet, options, context, startedAt)
    const result = await resultOf(fleet, options, total, performance.now() - startedAt)
    output(options.json ? JSON.stringify(result) : resultText(result))
    if (result.failed > 0) process.exitCode = FAILED
    if (stop.aborted) process.exitCode = INTERRUPTED
  } finally {
    if (stop.aborted) terminal.line("stopping: what runs may end, the rest is left to other processes")
    await fleet.stop({ graceMs: GRACE_MS })
  }
}

async function ask(fleet: Fleet, { tenant, retryFailed, breaking }: MigrateOptions): Promise<void> {
  const only = tenant === undefined ? {} : { tenant }
  await fleet.migrations.request({ ...only, breaking })
  if (retryFailed) await fleet.migrations.retry(only)
}

/** Waits until nothing is left to be done. @returns how much there was. */
async function untilMigrated(
  fleet: Fleet,
  { tenant }: MigrateOptions,
  { terminal, stop }: CommandContext,
  startedAt: number,
): Promise<number> {
  let total = 0
  for (;;) {
    const { runs } = await fleet.migrations.status(tenant === undefined ? {} : { tenant })
    const open = runs.queued + runs.running
    total = Math.max(total, open)
    const progress = { done: total - open, total, elapsedMs: performance.now() - startedAt }
    terminal.progress(progressBar(progress) + (runs.failed > 0 ? `, ${runs.failed} failed` : ""))
    if (open === 0 || stop.aborted) return total
    await sleep(LOOK_MS, undefined, { signal: stop }).catch(() => {})
  }
}

interface Result {
  readonly latest: number
  /** How many schemas there were to be migrated. */
  readonly total: number
  readonly open: number
  readonly failed: number
  readonly skipped: number
  readonly behind: number
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly elapsedMs: number
  readonly failures: Awaited<ReturnType<Fleet["migrations"]["list"]>>
}

async function resultOf(fleet: Fleet, { tenant }: MigrateOptions, total: number, elapsedMs: number): Promise<Result> {
  const only = tenant === undefined ? {} : { tenant }
  const { latest, runs, behind }: MigrationState = await fleet.migrations.status(only)
  const { queued, running, failed, skipped, p50Ms, p95Ms } = runs
  const failures = failed > 0 ? await fleet.migrations.list({ ...only, status: "failed", limit: LISTED }) : []
  const open = queued + running
  return { latest, total, open, failed, skipped, behind, p50Ms, p95Ms, elapsedMs: Math.round(elapsedMs), failures }
}

function resultText({ latest, total, open, failed, behind, failures }: Result): string {
  if (total === 0 && behind === 0 && failed === 0) return `every schema is at version ${latest}; nothing to do`
  const done = progressBar({ done: total - open, total, elapsedMs: 0 })
  const left =
    behind - failed - open > 0 ? [`${behind - failed - open} left behind: skipped, or waiting for --breaking`] : []
  return [done, ...left, ...(failures.length > 0 ? [failureTable(failures)] : [])].join("\n")
}

/** Which database, and by which migrations. */
function settingsOf({ dataDirectory, migrations }: MigrateOptions, { environment }: CommandContext): FleetOptions {
  return { ...fleetSettings(environment, dataDirectory), ...(migrations && { tenantMigrations: migrations }) }
}
