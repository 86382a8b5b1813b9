import { checkSlug, PLATFORM, schemaOf } from "../guard/slug.ts"

declare const scoped: unique symbol

/** Where a tenant's tables are: own, a schema of its own; shared, the schema that small tenants share. */
export type Placement = "own" | "shared"

/**
 * The right to touch one tenant's rows: every statement on them takes one, names the schema and says
 * `tenant = slug`. Only `tenantScope` and `engineScope` make it, from a checked slug, so the quoted name is safe in SQL text.
 */
export interface TenantScope {
  readonly slug: string
  readonly placement: Placement
  /** The schema that holds the tenant's tables, quoted. */
  readonly schema: string
  readonly [scoped]: true
}

/** The schema that tenants with the shared placement have in common. No tenant's own schema can have this name. */
export const SHARED_SCHEMA = "fleetprompt_shared"

/**
 * @throws FleetPromptError `tenant_invalid`
 */
export function tenantScope(slug: string, placement: Placement = "own"): TenantScope {
  return scopeOf(checkSlug(slug), placement)
}

/**
 * The same for the engine, which also works for the platform itself, a tenant that no caller can name.
 *
 * @throws FleetPromptError `tenant_invalid`
 */
export function engineScope(slug: string, placement: Placement = "own"): TenantScope {
  return slug === PLATFORM ? scopeOf(slug, placement) : tenantScope(slug, placement)
}

function scopeOf(slug: string, placement: Placement): TenantScope {
  const schema = quoteName(schemaName(slug, placement))
  // The brand exists for the compiler alone.
  return Object.freeze({ slug, placement, schema }) as TenantScope
}

/** Name of the schema with a tenant's tables, without quotes. */
export function schemaName(slug: string, placement: Placement): string {
  return placement === "shared" ? SHARED_SCHEMA : schemaOf(slug)
}

/** A name as SQL text: quoted, so that nothing in it is read as SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
