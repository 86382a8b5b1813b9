import { FleetPromptError } from "../errors.ts"

/**
 * The version that a tenant's schema needs for what this release can do with it. A tenant whose schema is at `signals`
 * or above may be used: it emits, reads and runs handlers. Whatever needs tables of a later migration has a line here
 * and asks `requireFeature` first. A line goes when no tenant can be older any more.
 */
export const tenantFeatures = {
  /** Signals and what is done with them, behind walls. */
  signals: 2,
  /** The audit log. Entries wait in the control schema until it is there. */
  audit: 3,
  /** Credentials of connectors. */
  credentials: 4,
  /** Directives and the steps of their runs. */
  directives: 5,
  /** Installed packages, what they made, and snapshots of them. */
  installations: 6,
} as const

/** Something that a tenant's schema may be too old for. */
export type TenantFeature = keyof typeof tenantFeatures

/** What is asked of a tenant's schema. */
export interface SchemaState {
  readonly slug: string
  readonly schemaVersion: number
  /** The last breaking migration that it has, 0 for none. */
  readonly breakingVersion: number
}

/** Whether this process can work with a tenant's schema. */
export function isUsable({ schemaVersion, breakingVersion }: SchemaState, latest: number): boolean {
  return schemaVersion >= tenantFeatures.signals && breakingVersion <= latest
}

/**
 * Refuses a tenant whose schema this process cannot work with.
 *
 * @param latest the last migration that this process knows.
 * @throws FleetPromptError `tenant_behind`, `tenant_ahead`
 */
export function checkUsable(tenant: SchemaState, latest: number): void {
  requireFeature(tenant, "signals")
  if (tenant.breakingVersion <= latest) return
  throw new FleetPromptError(
    "tenant_ahead",
    `expected the schema of tenant "${tenant.slug}" to be one that this release knows, got one with the breaking migration ${tenant.breakingVersion} of a later release; deploy that release to this process`,
  )
}

/**
 * Refuses what a tenant's schema is too old for.
 *
 * @throws FleetPromptError `tenant_behind`
 * @example
 * requireFeature({ slug: "acme", schemaVersion: 5 }, "audit")
 */
export function requireFeature(
  { slug, schemaVersion }: Pick<SchemaState, "slug" | "schemaVersion">,
  feature: TenantFeature,
): void {
  const needed = tenantFeatures[feature]
  if (schemaVersion >= needed) return
  throw new FleetPromptError(
    "tenant_behind",
    `expected the schema of tenant "${slug}" to have version ${needed} or later for ${feature}, got ${schemaVersion}; it is being migrated: try again in a while, or look with fleetprompt migrate --status`,
  )
}
