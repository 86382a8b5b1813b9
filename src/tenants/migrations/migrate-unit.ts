import type { OwnerDatabase } from "../../store/database.ts"
import { migrateTenant } from "../../store/migrate.ts"
import { breakingUpTo } from "../../store/migration-kind.ts"
import { lockUnit, type SchemaUnit, updateUnitVersion } from "../../store/schema-units.ts"
import { limitLockWaits } from "../../store/lock-waits.ts"
import type { Migration } from "../../store/sql.ts"
import type { Transaction } from "../../store/database.ts"

/** What a unit is migrated with. */
export interface MigrateUnitDeps {
  readonly owner: OwnerDatabase
  /** All migrations of tenants' schemas that this process knows, in order. */
  readonly migrations: readonly Migration[]
  /** Told within the transaction in which the last migration ran, when there was anything to do. */
  readonly onComplete?: (tx: Transaction) => Promise<void>
}

/** What a migration failed at: its file's name is in the error that is thrown. */
export class MigrationFailed extends Error {
  readonly migration: string

  constructor(migration: string, cause: unknown) {
    super(`migration ${migration} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = "MigrationFailed"
    this.migration = migration
  }
}

/** What is done in one transaction with a unit that is behind. */
type Step = "complete" | "moved" | "gone"

/**
 * Brings a unit to a version, each migration in a transaction of its own that notes the version it came to: so it may be
 * cut anywhere, begun again, and run twice at once. A migration waits for a lock for half a second at most, since whoever
 * comes after it waits behind it.
 *
 * @returns false when there is no such tenant any more.
 * @throws MigrationFailed with what the database answered as its cause; the abort's reason
 */
export async function migrateUnit(
  unit: SchemaUnit,
  to: number,
  deps: MigrateUnitDeps,
  abort?: AbortSignal,
): Promise<boolean> {
  for (;;) {
    abort?.throwIfAborted()
    const step = await migrateStep(unit, to, deps)
    if (step !== "moved") return step === "complete"
  }
}

async function migrateStep(unit: SchemaUnit, to: number, deps: MigrateUnitDeps): Promise<Step> {
  let current = "0000"
  try {
    return await deps.owner.transaction(async (tx) => {
      await limitLockWaits(tx)
      const version = await lockUnit(tx, unit)
      if (version === undefined) return "gone"
      const missing = deps.migrations.filter((each) => each.version > version && each.version <= to)
      const [next] = missing
      if (next) {
        current = next.name
        await migrateTenant(tx, unit.scope, [next])
      }
      return finish(tx, unit, { version: next?.version ?? version, isComplete: missing.length <= 1 }, deps)
    })
  } catch (error) {
    throw new MigrationFailed(current, error)
  }
}

async function finish(
  tx: Transaction,
  unit: SchemaUnit,
  { version, isComplete }: { readonly version: number; readonly isComplete: boolean },
  { migrations, onComplete }: MigrateUnitDeps,
): Promise<Step> {
  await updateUnitVersion(tx, unit, { version, breaking: breakingUpTo(migrations, version), isComplete })
  if (!isComplete) return "moved"
  await onComplete?.(tx)
  return "complete"
}
