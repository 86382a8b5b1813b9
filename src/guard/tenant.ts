import type { Guard } from "./candidate.ts"
import { checkSlug, PLATFORM } from "./slug.ts"

/**
 * Refuses a candidate that belongs to no tenant: nothing is stored outside a tenant's scope.
 *
 * @throws FleetPromptError `tenant_invalid`
 */
export const tenantGuard: Guard = (candidate) => {
  if (candidate.tenant !== PLATFORM) checkSlug(candidate.tenant)
  return candidate
}
