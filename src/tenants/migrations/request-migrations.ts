import { emitMany, type EmitDeps } from "../../emit/emit.ts"
import { PLATFORM } from "../../guard/slug.ts"
import type { Database } from "../../store/database.ts"
import { latestVersion, reachableVersion } from "../../store/migration-kind.ts"
import {
  endAttempt,
  insertRuns,
  type UnaskedRun,
  type NewRun,
  selectOpenRuns,
  selectUnasked,
  updateAsked,
} from "../../store/migration-runs.ts"
import { ALL } from "../../store/pauses.ts"
import { type BehindUnit, quarantine, schemaUnit, selectBehind } from "../../store/schema-units.ts"
import { type Migration, release } from "../../store/sql.ts"
import { selectTenant } from "../../store/tenants.ts"
import { openDeadLetters } from "../dead-letters.ts"
import { ensurePlatform } from "../provision.ts"
import { MIGRATION, MIGRATION_REQUESTED, type MigrationRequest } from "./migration-handler.ts"

/** What requests are made with. */
export interface RequestDeps {
  readonly database: Database
  /** Of the platform: it knows the built-in handlers alone. */
  readonly emitDeps: EmitDeps
  readonly migrations: readonly Migration[]
}

/** Which tenants are to be migrated. */
export interface RequestOptions {
  /** Only this tenant, or `*` for the shared schema. Default: all that are behind. */
  readonly tenant?: string
  /** Also by migrations that processes of the release before cannot work with. Default false. */
  readonly breaking?: boolean
}

/** Dead letters that are looked at, the newest. */
const LOOKED_AT = 500
/** Requests in one commit. */
const AT_ONCE = 1_000

/**
 * Asks for the migration of every schema that is behind: a row of the ledger, then a signal of the platform with the key
 * `tenant_migration:<tenant>:<version>`. May be cut anywhere and run by many processes at once.
 *
 * @param unfinishedForMs a tenant that was never completed is left to whoever provisions it until nothing happened to it
 * for so long.
 * @returns how many schemas are behind.
 */
export async function requestMigrations(
  options: RequestOptions,
  deps: RequestDeps,
  unfinishedForMs = 0,
): Promise<number> {
  const { database, migrations } = deps
  const behind = await selectBehind(database, latestVersion(migrations), options.tenant, unfinishedForMs)
  const runs = behind.flatMap((unit) => runOf(unit, options.breaking === true, migrations))
  if (runs.length === 0) return 0
  await ensurePlatform(database, migrations)
  for (let at = 0; at < runs.length; at += AT_ONCE) await insertRuns(database, runs.slice(at, at + AT_ONCE))
  await askForAll(deps)
  await noteLost(deps)
  return runs.length
}

/** What one unit needs; nothing when only breaking migrations are left, which are to wait. */
function runOf({ tenant, version, isReady }: BehindUnit, withBreaking: boolean, migrations: readonly Migration[]) {
  // Nobody works with a schema that was never complete.
  const toVersion = reachableVersion(migrations, version, withBreaking || !isReady)
  if (toVersion === version && isReady) return []
  const kind = tenant === ALL ? "shared" : isReady ? "upgrade" : "provision"
  const { schemaName } = schemaUnit(tenant)
  const run: NewRun = { tenant, schemaName, release, fromVersion: version, toVersion, kind }
  return [run]
}

/** Emits the signals of runs that have none yet. */
export async function askForAll({ database, emitDeps }: RequestDeps): Promise<void> {
  for (;;) {
    const runs = await selectUnasked(database, AT_ONCE)
    if (runs.length === 0) return
    const results = await emitMany(PLATFORM, runs.map(itemOf), undefined, emitDeps)
    const asked = results.map(({ signal }, at) => ({
      // The results are in the order of the items, which is that of the runs.
      id: (runs[at] as UnaskedRun).id,
      signalId: signal.id,
      correlationId: signal.metadata.correlation_id,
    }))
    await updateAsked(database, asked)
  }
}

function itemOf({ id, tenant, toVersion, requests, class: tenantClass }: UnaskedRun) {
  const data: MigrationRequest = {
    run: id,
    tenant,
    version: toVersion,
    class: tenant === ALL ? "shared" : (tenantClass ?? "standard"),
  }
  const again = requests > 1 ? `:${requests}` : ""
  return {
    type: MIGRATION_REQUESTED,
    data,
    source: "fleetprompt.migrations",
    dedupeKey: `tenant_migration:${tenant}:${toVersion}${again}`,
    // The class may have changed since another process asked.
    onConflict: "existing" as const,
  }
}

/** An attempt whose process went away is not heard of here. When it was the last, the delivery is dead, and that is found. */
export async function noteLost({ database, emitDeps }: RequestDeps): Promise<number> {
  // Nothing was ever asked for.
  if ((await selectTenant(database, PLATFORM))?.status !== "ready") return 0
  const { letters } = await openDeadLetters(PLATFORM, () => emitDeps).list({ handler: MIGRATION, limit: LOOKED_AT })
  if (letters.length === 0) return 0
  const lost = await selectOpenRuns(
    database,
    letters.map(({ signalId }) => signalId),
  )
  for (const run of lost) {
    const message = "the process that migrated it went away in each attempt"
    await database.owner.transaction(async (tx) => {
      await endAttempt(tx, run.id, "failed", { kind: "other", message, details: {} })
      await quarantine(tx, run.tenant, `migration to version ${run.toVersion} failed: ${message}`)
    })
  }
  return lost.length
}
