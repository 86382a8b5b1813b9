import type { RequestLimiter } from "../access/request-limiter.ts"
import { scopeOfTenant } from "../access/tenant-scopes.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { EmitDeps } from "../emit/emit.ts"
import type { InstallationParts } from "../packages/installations/installations-deps.ts"
import { openPackages } from "../packages/packages-door.ts"
import { release } from "../store/sql.ts"
import type { FleetOptions } from "./options.ts"
import { templatesOfFleet } from "./package-parts.ts"

/** What tenants' packages are installed with. */
export function installationParts(
  options: FleetOptions,
  emitDeps: EmitDeps,
  handlers: readonly Handler[],
  limiter: RequestLimiter,
): InstallationParts {
  const scopeOf = (slug: string) => scopeOfTenant(slug, emitDeps)
  return {
    shelf: openPackages(() => ({ database: emitDeps.database, scopeOf, platform: release })),
    templates: templatesOfFleet(options),
    handlers,
    limiter,
  }
}
