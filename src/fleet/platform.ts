import { setTimeout as sleep } from "node:timers/promises"
import type { Handler } from "../delivery/handler-definition.ts"
import type { Schedule } from "../delivery/schedule.ts"
import { defineHandler } from "../delivery/handler.ts"
import type { EmitDeps } from "../emit/emit.ts"
import type { FanOutTarget } from "../emit/fan-out.ts"
import { Routes } from "../emit/routes.ts"
import { PLATFORM } from "../guard/slug.ts"
import { selectIsProvisioning } from "../store/schema-units.ts"
import { type Migration, tenantMigrations } from "../store/sql.ts"
import { selectTenant } from "../store/tenants.ts"
import { DEFAULT_CONCURRENCY, migrationHandler } from "../tenants/migrations/migration-handler.ts"
import { type RequestDeps, requestMigrations } from "../tenants/migrations/request-migrations.ts"
import { ensurePlatform } from "../tenants/provision.ts"
import type { FleetOptions } from "./options.ts"

/** Rests between tries to ask for migrations at the start, milliseconds. */
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** A tenant that somebody provisions just now needs nobody else; one that was left for so long was cut short, milliseconds. */
const UNFINISHED_MS = 10_000

/** The migrations of tenants' schemas that a fleet knows. */
export function migrationsOf({ tenantMigrations: given = tenantMigrations }: FleetOptions): readonly Migration[] {
  return given
}

/** The built-in handler that migrates tenants' schemas. */
export function createMigrationHandler(options: FleetOptions, emitDeps: () => EmitDeps): Handler {
  const migrations = migrationsOf(options)
  const { concurrency = DEFAULT_CONCURRENCY } = options.migrations ?? {}
  return defineHandler(migrationHandler({ concurrency, migrations }, () => ({ ...emitDeps(), migrations })))
}

/** What is emitted for the platform itself is for built-in handlers alone, whatever patterns others have. */
export function platformEmitDeps(emitDeps: EmitDeps, builtIn: readonly FanOutTarget[]): EmitDeps {
  return { ...emitDeps, routes: new Routes(builtIn) }
}

/** A schedule of the user's, which is for tenants alone. */
export function withoutPlatform(schedule: Schedule): Schedule {
  return { ...schedule, chooses: (tenant) => tenant.slug !== PLATFORM && schedule.chooses(tenant) }
}

/**
 * Asks for the migrations of all tenants that are behind, again until it succeeds and no tenant is being provisioned of
 * which it would not know whether that was cut short. The fleet works meanwhile.
 *
 * @returns a function that ends it and waits for the end.
 */
export function beginMigrations(options: FleetOptions, deps: RequestDeps): () => Promise<void> {
  const { auto = true, breaking = false } = options.migrations ?? {}
  if (!auto) return async () => {}
  const halt = new AbortController()
  const begun = askUntilDone(breaking, halt.signal, deps)
  return async () => {
    halt.abort()
    await begun
  }
}

async function askUntilDone(breaking: boolean, halt: AbortSignal, deps: RequestDeps): Promise<void> {
  let ms = FIRST_PAUSE_MS
  while (!halt.aborted && !(await isAsked(breaking, deps))) {
    await sleep(ms, undefined, { signal: halt }).catch(() => {})
    ms = Math.min(ms * 2, LONGEST_PAUSE_MS)
  }
}

async function isAsked(breaking: boolean, deps: RequestDeps): Promise<boolean> {
  try {
    if (await selectTenant(deps.database, PLATFORM)) await ensurePlatform(deps.database, deps.migrations)
    await requestMigrations({ breaking }, deps, UNFINISHED_MS)
    return !(await selectIsProvisioning(deps.database, UNFINISHED_MS))
  } catch (error) {
    deps.emitDeps.telemetry.tell("background.failed", { step: "migration", error })
    return false
  }
}
