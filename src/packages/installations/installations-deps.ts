import type { Credentials } from "../../credentials/credentials.ts"
import type { RequestLimiter } from "../../access/request-limiter.ts"
import type { Handler } from "../../delivery/handler-definition.ts"
import type { Templates } from "../../delivery/templates.ts"
import type { DirectivesDeps } from "../../directives/directives-deps.ts"
import type { EmitDeps } from "../../emit/emit.ts"
import { FleetPromptError } from "../../errors.ts"
import { isUuid } from "../../signal/id.ts"
import { type CredentialRecord, selectCredential } from "../../store/credentials.ts"
import type { Queryable } from "../../store/database.ts"
import { selectLiveInstallations } from "../../store/installations.ts"
import { requireFeature } from "../../store/tenant-features.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import type { Shelf, TenantState } from "./assess.ts"

/** What of a fleet its installations are made with. */
export interface InstallationParts {
  readonly shelf: Shelf
  /** The code that packages may refer to. */
  readonly templates: Templates
  /** The platform's own handlers, for which a signal may break. */
  readonly handlers: readonly Pick<Handler, "name" | "on">[]
  readonly limiter: Pick<RequestLimiter, "take">
}

/** What the directives work with. */
export interface InstallerDeps extends EmitDeps, InstallationParts {}

/** What the doors work with. */
export interface InstallationsDeps extends InstallerDeps, DirectivesDeps {
  readonly credentials: Pick<Credentials, "use">
}

/** Where a tenant's installations are. @throws FleetPromptError `tenant_behind`, and what `Placements.find` throws */
export async function scopeOfInstallations(
  slug: string,
  { placements }: Pick<EmitDeps, "placements">,
): Promise<TenantScope> {
  const { scope, schema } = await placements.find(slug)
  requireFeature(schema, "installations")
  return scope
}

/** The same for who only reads, which a tenant that is suspended allows too. */
export async function scopeToRead(slug: string, { placements }: Pick<EmitDeps, "placements">): Promise<TenantScope> {
  const { scope, schema } = await placements.findToRead(slug)
  requireFeature(schema, "installations")
  return scope
}

/** What a tenant has. @param credentialIds of the credentials that are asked for */
export function readState(
  scope: TenantScope,
  credentialIds: readonly string[],
  { database }: Pick<EmitDeps, "database">,
): Promise<TenantState> {
  return withinTenant(database, scope, async (tx) => {
    const installations = await selectLiveInstallations(tx, scope)
    const stored = installations.flatMap(({ credentials }) => Object.values(credentials))
    const ids = [...new Set([...credentialIds, ...stored])].filter(isUuid)
    return { installations, credentials: await credentialsOf(tx, scope, ids) }
  })
}

async function credentialsOf(
  tx: Queryable,
  scope: TenantScope,
  ids: readonly string[],
): Promise<ReadonlyMap<string, CredentialRecord>> {
  const known = new Map<string, CredentialRecord>()
  for (const id of ids) {
    const credential = await selectCredential(tx, scope, id)
    if (credential) known.set(id, credential)
  }
  return known
}

/** The tenant has not installed it. */
export function unknownInstallation(what: string): FleetPromptError {
  return new FleetPromptError(
    "installation_unknown",
    `expected a package that the tenant has installed, got ${what}; packages.list() has them`,
  )
}

/** It cannot be done in the state that the installation is in. */
export function wrongState(expected: string, slug: string, status: string): FleetPromptError {
  return new FleetPromptError(
    "installation_state",
    `expected ${expected}, ${slug} is ${status}; look at its directive, or wait for its end`,
  )
}
