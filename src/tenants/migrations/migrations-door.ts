import { appendPlatformAudit } from "../../audit/append-audit.ts"
import { FleetPromptError } from "../../errors.ts"
import type { Queryable } from "../../store/database.ts"
import { latestVersion } from "../../store/migration-kind.ts"
import {
  countRuns,
  countVersions,
  type DecidedRun,
  type MigrationRun,
  type MigrationStatus,
  requeueRuns,
  type RunCounts,
  selectRuns,
  skipRuns,
  type VersionCount,
} from "../../store/migration-runs.ts"
import { ALL } from "../../store/pauses.ts"
import { endQuarantine, selectBehind } from "../../store/schema-units.ts"
import type { Migration } from "../../store/sql.ts"
import { checkSlug, PLATFORM } from "../../guard/slug.ts"
import { openDeadLetters } from "../dead-letters.ts"
import { MIGRATION } from "./migration-handler.ts"
import { askForAll, noteLost, type RequestDeps, type RequestOptions, requestMigrations } from "./request-migrations.ts"

/** Whose decision it is, and why. */
export interface MigrationDecision {
  /** Who decided; noted in the platform's audit log. Default `operator`. */
  readonly by?: string
  /** Why, for people. */
  readonly reason?: string
}

/** How the schemas of a fleet stand. */
export interface MigrationState {
  /** The version that this release makes. */
  readonly latest: number
  /** Tenants by the version of their schemas, the oldest first. */
  readonly versions: readonly VersionCount[]
  /** The last run of each schema by its status. */
  readonly runs: RunCounts
  /** Schemas that are not at the latest version; those that share one count once. */
  readonly behind: number
}

/** Which runs are listed. */
export interface MigrationListOptions {
  /** Every run of this tenant, or of `*`, the shared schema. Default: the last run of each schema. */
  readonly tenant?: string
  readonly status?: MigrationStatus
  /** How many, 1 to 1,000. Default 100. */
  readonly limit?: number
}

/** The migrations of tenants' schemas. */
export interface Migrations {
  /**
   * Asks for the migration of every schema that is behind. A fleet does so itself when it starts. Handlers carry it
   * out, in any process of the fleet.
   *
   * @returns how many schemas are behind and can be migrated.
   * @throws FleetPromptError `tenant_invalid`
   * @example
   * await fleet.migrations.request({ tenant: "acme" })
   */
  readonly request: (options?: RequestOptions) => Promise<number>
  /**
   * How the schemas stand: all, or with `tenant` what is behind and was run of that one. Reads all tenants, so ask
   * seldom.
   */
  readonly status: (options?: { readonly tenant?: string }) => Promise<MigrationState>
  /** Runs, the newest first. @throws FleetPromptError `query_invalid` */
  readonly list: (options?: MigrationListOptions) => Promise<readonly MigrationRun[]>
  /**
   * Takes up again what failed, or what was skipped when it is named. Its deliveries are held back until it succeeds.
   *
   * @returns how many schemas.
   * @throws FleetPromptError `tenant_invalid`
   */
  readonly retry: (options?: MigrationDecision & { readonly tenant?: string }) => Promise<number>
  /**
   * Leaves a tenant whose migration failed at the version that it has, and lets its deliveries go on.
   *
   * @returns false when there was nothing that failed.
   * @throws FleetPromptError `tenant_invalid`
   */
  readonly skip: (tenant: string, decision?: MigrationDecision) => Promise<boolean>
}

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1_000

/** The door of a fleet. */
export function openMigrations(deps: () => RequestDeps): Migrations {
  return Object.freeze({
    request: async (options: RequestOptions = {}) => requestMigrations(checked(options), deps()),
    status: async ({ tenant }: { readonly tenant?: string } = {}) => status(deps(), tenant),
    list: async (options: MigrationListOptions = {}) => list(options, deps().database),
    retry: async (options: MigrationDecision & { readonly tenant?: string } = {}) => retry(checked(options), deps()),
    skip: async (tenant: string, decision: MigrationDecision = {}) =>
      skip(checked({ tenant }).tenant, decision, deps()),
  })
}

function checked<Options extends { readonly tenant?: string }>(options: Options): Options {
  if (options.tenant !== undefined && options.tenant !== ALL) checkSlug(options.tenant)
  return options
}

async function status(deps: RequestDeps, tenant?: string): Promise<MigrationState> {
  await noteLost(deps)
  return readMigrations(deps.database, deps.migrations, tenant)
}

/** Reads how schemas stand, and changes nothing. */
export async function readMigrations(
  database: Queryable,
  migrations: readonly Migration[],
  tenant?: string,
): Promise<MigrationState> {
  const latest = latestVersion(migrations)
  const behind = await selectBehind(database, latest, tenant)
  return {
    latest,
    versions: await countVersions(database),
    runs: await countRuns(database, tenant),
    behind: behind.length,
  }
}

async function list(
  { limit = DEFAULT_LIMIT, ...filter }: MigrationListOptions,
  database: Queryable,
): Promise<readonly MigrationRun[]> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw new FleetPromptError("query_invalid", `expected a whole number from 1 to ${MAX_LIMIT} as limit`)
  return selectRuns(database, { ...filter, limit })
}

async function retry(
  { tenant, ...decision }: MigrationDecision & { readonly tenant?: string },
  deps: RequestDeps,
): Promise<number> {
  const runs = await deps.database.transaction(async (tx) => {
    const requeued = await requeueRuns(tx, tenant)
    await noteDecision(tx, "tenant.migration.retry", requeued, decision)
    return requeued
  })
  await discardLetters(runs, "it was tried again", decision, deps)
  await askForAll(deps)
  return runs.length
}

async function skip(tenant: string, decision: MigrationDecision, deps: RequestDeps): Promise<boolean> {
  const { database, emitDeps } = deps
  const runs = await database.transaction(async (tx) => {
    const skipped = await skipRuns(tx, tenant)
    if (skipped.length > 0) await endQuarantine(tx, tenant)
    await noteDecision(tx, "tenant.migration.skip", skipped, decision)
    return skipped
  })
  await discardLetters(runs, decision.reason ?? "the migration was skipped", decision, deps)
  emitDeps.placements.doubt()
  emitDeps.announcer.changed({ pauses: true, tenants: true })
  return runs.length > 0
}

async function noteDecision(
  tx: Queryable,
  action: string,
  runs: readonly MigrationRun[],
  { by = "operator", reason }: MigrationDecision,
): Promise<void> {
  const actor = { kind: "operator", id: by } as const
  const entries = runs.map(({ tenant, toVersion, correlationId }) => ({
    action,
    resource: `tenant:${tenant}`,
    actor,
    details: { version: toVersion, ...(reason !== undefined && { reason }) },
    ...(correlationId !== null && { correlationId }),
  }))
  await appendPlatformAudit(tx, entries)
}

/** What was given up waits for nobody any more. */
async function discardLetters(
  runs: readonly DecidedRun[],
  reason: string,
  { by = "operator" }: MigrationDecision,
  { emitDeps }: RequestDeps,
): Promise<void> {
  const letters = openDeadLetters(PLATFORM, () => emitDeps)
  const request = { by: { kind: "operator", id: by }, reason } as const
  for (const { askedBy } of runs) {
    if (askedBy !== null) await letters.discard({ signalId: askedBy, handler: MIGRATION }, request)
  }
}
