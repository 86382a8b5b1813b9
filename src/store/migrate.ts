import type { Database, Transaction } from "./database.ts"
import { controlMigrations, type Migration, tenantMigrations } from "./sql.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Any two processes that migrate take turns on this lock; the number is arbitrary and must stay. */
const CONTROL_LOCK = 4_815_162_342

/** The version a tenant's schema has when all its migrations ran. */
export const LATEST_TENANT_VERSION: number = tenantMigrations.at(-1)?.version ?? 0

/** Brings the control schema up to date, in one transaction. Safe to run by many processes at once. */
export async function migrateControl(database: Database): Promise<void> {
  await database.transaction(async (tx) => {
    // As a script, because a script may wait for minutes and a query is given up after seconds.
    await tx.script(`select pg_advisory_xact_lock(${CONTROL_LOCK})`)
    await tx.query("create schema if not exists fleetprompt")
    await tx.query(
      `create table if not exists fleetprompt.migrations
         (version integer primary key, name text not null, applied_at timestamptz not null default now())`,
    )
    for (const migration of await missing(tx)) await applyControl(tx, migration)
  })
}

async function missing(tx: Transaction): Promise<readonly Migration[]> {
  const done = await tx.query<{ version: number }>("select version from fleetprompt.migrations")
  const versions = new Set(done.map((row) => row.version))
  return controlMigrations.filter((migration) => !versions.has(migration.version))
}

async function applyControl(tx: Transaction, migration: Migration): Promise<void> {
  await tx.script(migration.text)
  await tx.query("insert into fleetprompt.migrations (version, name) values ($1, $2)", [
    migration.version,
    migration.name,
  ])
}

/** Creates a tenant's schema where it is missing and runs the migrations after `from`, in the caller's transaction. */
export async function migrateTenant(tx: Transaction, scope: TenantScope, from: number): Promise<void> {
  await tx.query(`create schema if not exists ${scope.schema}`)
  for (const migration of tenantMigrations.filter(({ version }) => version > from)) {
    await tx.script(migration.text.replaceAll(":schema", scope.schema))
  }
}
