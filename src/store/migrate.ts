import { FleetPromptError } from "../errors.ts"
import type { Database, Queryable, Transaction } from "./database.ts"
import { controlMigrations, type Migration, tenantMigrations } from "./sql.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Any two processes that migrate take turns on this lock; the number is arbitrary and must stay. */
const CONTROL_LOCK = 4_815_162_342

/** The version a tenant's schema has when all its migrations ran. */
export const LATEST_TENANT_VERSION: number = tenantMigrations.at(-1)?.version ?? 0

/** Migrations of the control schema that the database does not have. Changes nothing. */
export async function missingControl(database: Queryable): Promise<readonly string[]> {
  const [row] = await database.query<{ isThere: boolean }>(
    `/* hasControl */ select to_regclass('fleetprompt.migrations') is not null as "isThere"`,
  )
  const all = row?.isThere ? await missing(database) : controlMigrations
  return all.map(({ name }) => name)
}

/**
 * Brings the control schema up to date, in one transaction. Safe to run by many processes at once; where nothing is to
 * be done, as at most starts, nobody waits for another.
 */
export async function migrateControl(database: Pick<Database, "owner">): Promise<void> {
  const missingNow = await database.owner.transaction(missingControl)
  if (missingNow.length === 0) return
  await database.owner.transaction(async (tx) => {
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

async function missing(tx: Queryable): Promise<readonly Migration[]> {
  const done = await tx.query<AppliedMigration>(
    "/* selectControlMigrations */ select version, name from fleetprompt.migrations",
  )
  checkHistory(done)
  const versions = new Set(done.map((row) => row.version))
  return controlMigrations.filter((migration) => !versions.has(migration.version))
}

interface AppliedMigration {
  readonly version: number
  readonly name: string
}

/** A migration that was made under another name is another migration: the tables are not what the statements expect. */
function checkHistory(applied: readonly AppliedMigration[]): void {
  const ours = new Map(controlMigrations.map(({ version, name }) => [version, name]))
  const other = applied.find(({ version, name }) => (ours.get(version) ?? name) !== name)
  if (!other) return
  throw new FleetPromptError(
    "config_invalid",
    `expected a database that this release made, got one whose migration ${other.version} is ${other.name}; it is from a version before the first release: use another database or data directory`,
  )
}

async function applyControl(tx: Transaction, migration: Migration): Promise<void> {
  await tx.script(migration.text)
  await tx.query("insert into fleetprompt.migrations (version, name) values ($1, $2)", [
    migration.version,
    migration.name,
  ])
}

/** Runs migrations of a tenant's schema, which is created where it is missing, in the caller's transaction. */
export async function migrateTenant(
  tx: Transaction,
  scope: TenantScope,
  migrations: readonly Migration[],
): Promise<void> {
  const texts = migrations.map(({ text }) => tenantText(text, scope))
  await tx.script([`create schema if not exists ${scope.schema};`, ...texts].join("\n"))
}

/** Fills a tenant migration's placeholders; a checked slug needs no escaping in a literal. */
function tenantText(text: string, { slug, schema, placement }: TenantScope): string {
  const isShared = placement === "shared"
  return text
    .replaceAll(":schema", schema)
    .replaceAll(":tenant", isShared ? "" : `default '${slug}'`)
    .replaceAll(":key ", isShared ? "tenant, " : "")
}
