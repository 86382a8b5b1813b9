import type { AccessPolicy } from "../access/policy.ts"
import type { Credentials } from "../credentials/credentials.ts"
import type { EmitDeps } from "../emit/emit.ts"
import { FleetPromptError } from "../errors.ts"
import { isUuid } from "../signal/id.ts"
import type { Queryable } from "../store/database.ts"
import { asTenant } from "../store/roles.ts"
import { requireFeature } from "../store/tenant-features.ts"
import { type TenantScope, tenantScope } from "../store/tenant-scope.ts"
import type { Directive } from "./directive.ts"
import type { RunningDirectives } from "./running-directives.ts"

/** What of a fleet's directives its doors and its runner share. */
export interface FleetDirectiveParts {
  /** By their types. */
  readonly definitions: ReadonlyMap<string, Directive>
  /** Runs of this process. */
  readonly running: RunningDirectives
}

/** What the runner works with. */
export interface RunnerDeps extends EmitDeps {
  readonly credentials: Credentials
  readonly directives: FleetDirectiveParts
}

/** What the doors work with. */
export interface DirectivesDeps extends EmitDeps {
  readonly directives: FleetDirectiveParts
  readonly access: Pick<AccessPolicy, "admit" | "authorise">
  /** Hears commits until the returned function is called. */
  readonly onCommit: (listener: {
    readonly onCommit: (news: { readonly tenant: string }) => void
    readonly onGap: () => void
  }) => () => void
}

/**
 * Where a tenant's directives are.
 *
 * @param tx the transaction to ask in, for a caller who holds one.
 * @throws FleetPromptError `tenant_behind`, and what `Placements.find` throws
 */
export async function scopeOfDirectives(
  slug: string,
  { placements }: Pick<EmitDeps, "placements">,
  tx?: Queryable,
): Promise<TenantScope> {
  const placed =
    placements.known(slug) ??
    (tx ? await asTenant(tx, tenantScope(slug), () => placements.find(slug, tx)) : await placements.find(slug))
  requireFeature(placed.schema, "directives")
  return placed.scope
}

/** The same for who only reads, which a tenant that is suspended allows too. */
export async function scopeToRead(slug: string, { placements }: Pick<EmitDeps, "placements">): Promise<TenantScope> {
  const { scope, schema } = await placements.findToRead(slug)
  requireFeature(schema, "directives")
  return scope
}

/** @throws FleetPromptError `directive_unknown` for what is no id */
export function checkId(id: string): string {
  if (typeof id === "string" && isUuid(id)) return id
  throw unknownDirective()
}

/** The tenant has no directive with this id. */
export function unknownDirective(): FleetPromptError {
  return new FleetPromptError(
    "directive_unknown",
    "expected the id of one of the tenant's directives, got another; directives.list() has them",
  )
}
