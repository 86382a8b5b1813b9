import { FleetPromptError } from "../errors.ts"
import type { Queryable } from "../store/database.ts"
import type { PlacedTenant } from "../store/placements.ts"
import { selectTenant } from "../store/tenants.ts"
import { type TenantScope, tenantScope } from "../store/tenant-scope.ts"

/** Who remembers where tenants are. */
interface KnownPlacements {
  readonly known: (slug: string) => PlacedTenant | undefined
}

/**
 * Where a tenant's rows are, whatever its state: the people of one that is suspended, or about to be deleted, can be
 * read and changed all the same.
 *
 * @throws FleetPromptError `tenant_invalid`, `tenant_unknown`
 */
export async function scopeOfTenant(
  slug: string,
  { database, placements }: { readonly database: Queryable; readonly placements: KnownPlacements },
): Promise<TenantScope> {
  const known = placements.known(slug)
  if (known) return known.scope
  const record = await selectTenant(database, tenantScope(slug).slug)
  if (record && record.status !== "deleted") return tenantScope(slug, record.placement)
  throw new FleetPromptError("tenant_unknown", `expected a tenant that is there, got "${slug}"; check the slug`)
}
