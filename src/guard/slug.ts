import { FleetPromptError } from "../errors.ts"

const SLUG = /^[a-z][a-z0-9_]{1,40}$/
const SCHEMA_PREFIX = "org_"

/**
 * The platform itself, which keeps its own signals as a tenant keeps its: what is asked of its handlers, such as
 * migrations. A reserved word, so that no caller from outside can mean it.
 */
export const PLATFORM = "fleetprompt"

/**
 * Slugs nobody may take, because each already means something else where a slug is read: in Postgres
 * (schemas, databases, the superuser), in the platform (its own schema, its operators, its routes), or
 * in JavaScript, where a missing value printed into a text would otherwise name a tenant.
 */
const RESERVED = new Set([
  "information_schema",
  "postgres",
  "public",
  "template0",
  "template1",
  PLATFORM,
  "admin",
  "api",
  "root",
  "system",
  "null",
  "undefined",
])
/** Postgres keeps every name that begins so for itself. */
const RESERVED_PREFIX = "pg_"

/**
 * Checks a tenant's slug and returns it: a lower-case letter, then 1 to 40 lower-case letters, digits
 * or `_`, and no reserved word. The message does not repeat the value, which may be anything.
 *
 * @throws FleetPromptError `tenant_invalid`
 * @example
 * checkSlug("acme_eu") // "acme_eu"
 */
export function checkSlug(slug: unknown): string {
  if (typeof slug !== "string") throw invalid("a value that is no text")
  if (!SLUG.test(slug)) throw invalid(`a text of ${slug.length} characters that does not fit`)
  if (RESERVED.has(slug) || slug.startsWith(RESERVED_PREFIX)) throw invalid("a reserved word")
  return slug
}

/**
 * The name of a tenant's own schema. At most 45 bytes for a checked slug, and Postgres cuts names only
 * at 63, so two tenants never share one. Not quoted.
 *
 * @example
 * schemaOf("acme") // "org_acme"
 */
export function schemaOf(slug: string): string {
  return SCHEMA_PREFIX + slug
}

function invalid(came: string): FleetPromptError {
  return new FleetPromptError(
    "tenant_invalid",
    `expected a slug of 2 to 41 characters as the tenant, a to z first, then a to z, 0 to 9 or "_", got ${came}; choose another slug`,
    { path: "tenant" },
  )
}
