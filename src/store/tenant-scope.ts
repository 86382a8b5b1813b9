import { checkSlug, schemaOf } from "../guard/slug.ts"

declare const scoped: unique symbol

/**
 * The right to touch one tenant's tables: every statement on them takes one. Only `tenantScope`
 * makes it, from a checked slug, so the quoted name is safe in SQL text.
 */
export interface TenantScope {
  readonly slug: string
  /** The tenant's schema, quoted. */
  readonly schema: string
  readonly [scoped]: true
}

/**
 * @throws FleetPromptError `tenant_invalid`
 */
export function tenantScope(slug: string): TenantScope {
  // The brand exists for the compiler alone.
  return Object.freeze({ slug, schema: quoteName(schemaOf(checkSlug(slug))) }) as TenantScope
}

/** A name as SQL text: quoted, so that nothing in it is read as SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
