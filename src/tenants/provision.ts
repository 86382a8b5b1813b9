import { checkSlug, PLATFORM } from "../guard/slug.ts"
import { adoptAuditIntake } from "../store/audit-intake.ts"
import type { Database, Transaction } from "../store/database.ts"
import { migrateTenant } from "../store/migrate.ts"
import { breakingUpTo, latestVersion } from "../store/migration-kind.ts"
import { ALL } from "../store/pauses.ts"
import { lockUnit, type SchemaUnit, schemaUnit, updateUnitVersion } from "../store/schema-units.ts"
import { type Migration, tenantMigrations } from "../store/sql.ts"
import { elsewhere } from "../store/placements.ts"
import { tenantFeatures } from "../store/tenant-features.ts"
import {
  insertTenant,
  lockTenant,
  type NewTenant,
  reviveTenant,
  selectTenant,
  type TenantClass,
  type TenantRecord,
} from "../store/tenants.ts"
import { type Placement, schemaName } from "../store/tenant-scope.ts"

/** How a tenant is created. A tenant that is there keeps what it has. */
export interface ProvisionOptions {
  /** own: a schema of its own, the default; shared: the schema that small tenants share. */
  readonly placement?: Placement
  /** How much of the workers it gets while others want them too. Default `standard`. */
  readonly class?: TenantClass
  /** The database of the fleet that it is to be in; see `FleetOptions.databases`. Default `main`, the first. */
  readonly cell?: string
}

/**
 * Creates a tenant, or completes one whose provisioning was cut short, or brings one that is behind up
 * to date: record, schema, migrations, ready. Safe to repeat and to run by several processes at once.
 *
 * @throws FleetPromptError `tenant_invalid`
 */
export async function provisionTenant(
  database: Database,
  slug: string,
  options: ProvisionOptions = {},
  migrations: readonly Migration[] = tenantMigrations,
): Promise<TenantRecord> {
  return completeTenant(database, checkSlug(slug), options, migrations)
}

/** The platform's own schema, which is always that of the newest release that runs. */
export async function ensurePlatform(database: Database, migrations: readonly Migration[]): Promise<void> {
  await completeTenant(database, PLATFORM, {}, migrations)
}

async function completeTenant(
  database: Database,
  slug: string,
  { placement = "own", class: tenantClass = "standard" }: ProvisionOptions,
  migrations: readonly Migration[],
): Promise<TenantRecord> {
  const made = { slug, schemaName: schemaName(slug, placement), placement, class: tenantClass }
  await insertTenant(database, made)
  for (;;) {
    const tenant = await database.owner.transaction((tx) => completeOnce(tx, made, migrations))
    if (tenant) return tenant
  }
}

/**
 * The lock of the shared schema comes before that of a tenant in it, here as wherever that schema is migrated: so no two
 * transactions wait for each other.
 *
 * @returns undefined when the tenant got another placement before it was locked.
 */
async function completeOnce(
  tx: Transaction,
  made: NewTenant,
  migrations: readonly Migration[],
): Promise<TenantRecord | undefined> {
  const { slug } = made
  const seen = hereOrThrow(mustBeThere(await selectTenant(tx, slug), slug))
  if (isComplete(seen, migrations)) return seen
  const { placement } = seen.status === "deleted" ? made : seen
  const unit = schemaUnit(placement === "shared" ? ALL : slug)
  const from = (await lockUnit(tx, unit)) ?? 0
  const tenant = hereOrThrow(await lockOrRevive(tx, made))
  if (tenant.status === "deleted" || isComplete(tenant, migrations)) return tenant
  if (tenant.placement !== placement) return undefined
  await completeSchema(tx, unit, from, migrations)
  return lockOrRevive(tx, made)
}

async function lockOrRevive(tx: Transaction, made: NewTenant): Promise<TenantRecord> {
  const { slug } = made
  const found = mustBeThere(await lockTenant(tx, slug), slug)
  if (found.status !== "deleted" || !(await reviveTenant(tx, made))) return found
  // What still waits for its place is of the one before, and would come into the log of this one.
  await adoptAuditIntake(tx, slug)
  return mustBeThere(await lockTenant(tx, slug), slug)
}

/** @throws FleetPromptError `tenant_elsewhere` when another database of the fleet has it */
function hereOrThrow(tenant: TenantRecord): TenantRecord {
  if (tenant.status === "elsewhere") throw elsewhere(tenant.slug, tenant.cell)
  return tenant
}

function mustBeThere(tenant: TenantRecord | undefined, slug: string): TenantRecord {
  if (!tenant) throw new Error(`tenant ${slug} was removed while it was provisioned`)
  return tenant
}

/** A schema that others share has its own turn, whatever version it has. */
function isComplete({ status, placement, schemaVersion }: TenantRecord, migrations: readonly Migration[]): boolean {
  if (status === "provisioning" || status === "deleted") return false
  return placement === "shared" || schemaVersion >= latestVersion(migrations)
}

/** Makes what is missing. A schema that others share is left at its version when that will do: it has its own turn. */
async function completeSchema(
  tx: Transaction,
  unit: SchemaUnit,
  from: number,
  migrations: readonly Migration[],
): Promise<void> {
  const isEnough = unit.tenant === ALL && from >= tenantFeatures.signals
  const missing = isEnough ? [] : migrations.filter(({ version }) => version > from)
  if (missing.length > 0) await migrateTenant(tx, unit.scope, missing)
  const version = missing.at(-1)?.version ?? from
  await updateUnitVersion(tx, unit, { version, breaking: breakingUpTo(migrations, version), isComplete: true })
}
