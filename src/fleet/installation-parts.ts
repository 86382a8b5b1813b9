import type { RequestLimiter } from "../access/request-limiter.ts"
import { scopeOfTenant } from "../access/tenant-scopes.ts"
import type { EmitDeps } from "../emit/emit.ts"
import type { InstallationParts } from "../packages/installations/installations-deps.ts"
import { openPackages } from "../packages/packages-door.ts"
import { release } from "../store/sql.ts"
import type { FleetOptions } from "./options.ts"
import { templatesOfFleet } from "./package-parts.ts"

/** What tenants' packages are installed with. @param first the first database, which has the catalogue */
export function installationParts(
  options: FleetOptions,
  first: Pick<EmitDeps, "database" | "placements">,
  limiter: RequestLimiter,
): InstallationParts {
  const scopeOf = (slug: string) => scopeOfTenant(slug, first)
  return {
    shelf: openPackages(() => ({ database: first.database, scopeOf, platform: release })),
    templates: templatesOfFleet(options),
    handlers: options.handlers ?? [],
    limiter,
  }
}
