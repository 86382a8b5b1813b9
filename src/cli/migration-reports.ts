import { databaseSettings, type FleetOptions } from "../fleet/options.ts"
import type { Database } from "../store/database.ts"
import { missingControl } from "../store/migrate.ts"
import { migrationKind, reachableVersion } from "../store/migration-kind.ts"
import { type MigrationRun, selectRuns } from "../store/migration-runs.ts"
import { openDatabase } from "../store/open-database.ts"
import { selectBehind } from "../store/schema-units.ts"
import { type Migration, tenantMigrations } from "../store/sql.ts"
import { type MigrationState, readMigrations } from "../tenants/migrations/migrations-door.ts"

/** What `fleetprompt migrate` would do. */
export interface MigrationPlan {
  /** Files that the control schema lacks. */
  readonly control: readonly string[]
  /** Schemas that would be migrated; null where there is no control schema yet, or one that lacks the ledger. */
  readonly schemas: readonly PlannedSchema[] | null
}

/** What one schema needs. */
export interface PlannedSchema {
  /** The tenant's slug, or `*` for the shared schema. */
  readonly tenant: string
  readonly from: number
  /** How far it would be brought. */
  readonly to: number
  readonly migrations: readonly string[]
}

/** How schemas stand. */
export interface MigrationReport {
  /** Files that the control schema lacks. */
  readonly control: readonly string[]
  /** Null where the control schema lacks the ledger. */
  readonly migrations: MigrationState | null
  readonly failures: readonly MigrationRun[]
}

const LISTED = 1_000

/** Looks what would be done, and changes nothing. */
export async function migrationPlan(
  settings: FleetOptions,
  { tenant, breaking, migrations = tenantMigrations }: PlanOptions,
): Promise<MigrationPlan> {
  return withDatabase(settings, async (database) => {
    const control = await missingControl(database)
    if (control.length > 0) return { control, schemas: null }
    const behind = await selectBehind(database, migrations.at(-1)?.version ?? 0, tenant)
    const schemas = behind.map(({ tenant: unit, version, isReady }) => {
      const to = reachableVersion(migrations, version, breaking || !isReady)
      return { tenant: unit, from: version, to, migrations: filesOf(migrations, version, to) }
    })
    return { control, schemas }
  })
}

/** What a plan is made for. */
interface PlanOptions {
  readonly tenant?: string
  readonly breaking: boolean
  readonly migrations?: readonly Migration[]
}

/** Files by which a schema gets from one version to another; with how, where that is not the usual way. */
function filesOf(migrations: readonly Migration[], from: number, to: number): readonly string[] {
  const those = migrations.filter(({ version }) => version > from && version <= to)
  return those.map((migration) => {
    const kind = migrationKind(migration)
    return kind === "expand" ? migration.name : `${migration.name} (${kind})`
  })
}

/** Looks how schemas stand, and changes nothing. */
export async function migrationState(
  settings: FleetOptions,
  { tenant, migrations = tenantMigrations }: Omit<PlanOptions, "breaking">,
): Promise<MigrationReport> {
  return withDatabase(settings, async (database) => {
    const control = await missingControl(database)
    if (control.length > 0) return { control, migrations: null, failures: [] }
    const filter = { status: "failed", limit: LISTED, ...(tenant !== undefined && { tenant }) } as const
    const failures = await selectRuns(database, filter)
    return { control, migrations: await readMigrations(database, migrations, tenant), failures }
  })
}

async function withDatabase<Result>(
  settings: FleetOptions,
  read: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = settings.database ?? (await openDatabase(databaseSettings(settings)))
  try {
    return await read(database)
  } finally {
    if (!settings.database) await database.close()
  }
}
