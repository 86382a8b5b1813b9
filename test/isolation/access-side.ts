import { randomBytes } from "node:crypto"
import { actingAs } from "../../src/access/acting.ts"
import type { Principal } from "../../src/access/principal.ts"
import type { Fleet } from "../../src/fleetprompt.ts"
import { type Placement, type TenantScope, tenantScope } from "../../src/store/tenant-scope.ts"
import type { Tenant } from "../../src/tenants/tenant.ts"
import { testSlug } from "../support/test-fleet.ts"

/** One of two organisations that are to know nothing of each other, with all that there is of people and keys. */
export interface AccessSide {
  readonly scope: TenantScope
  readonly tenant: Tenant
  /** Stands in every name, address and reason of this one. */
  readonly marker: string
  /** Its first owner, signed in. */
  readonly owner: Principal
  /** An API key as it was shown. */
  readonly key: string
  /** What it has, by what that is. */
  readonly ids: Readonly<Record<AccessIdKind, string>>
}

/** Of what there are ids. */
export type AccessIdKind =
  | "slug"
  | "member"
  | "invitation"
  | "apiKey"
  | "serviceAccount"
  | "credential"
  | "signal"
  | "replay"
  | "operation"

/** Makes an organisation with its tenant and fills it. */
export async function makeAccessSide(fleet: Fleet, placement: Placement, name: string): Promise<AccessSide> {
  const marker = `${name}${randomBytes(12).toString("hex")}`
  const slug = testSlug(`${name} access ${placement}`)
  const founder = await fleet.people.create({ email: `owner.${marker}@example.com`, name: marker })
  await fleet.organisations.create({ tenant: slug, name: `The ${marker}`, ownerId: founder.id, placement })
  const owner = await fleet.people.principalOf(founder.id)
  if (!owner) throw new Error("expected the owner to be somebody")
  const tenant = fleet.tenant(slug)
  const by = { by: actingAs(fleet.access, owner) }
  const person = await fleet.people.create({ email: `member.${marker}@example.com`, name: `Mia ${marker}` })
  const member = await tenant.members.add(person.id, "member", by)
  const { invitation } = await tenant.invitations.create({ email: `guest.${marker}@example.com` }, by)
  const account = await tenant.serviceAccounts.create({ name: `account ${marker}`, role: "member" }, by)
  const keyOwner = { kind: "service_account", id: account.id } as const
  const made = await tenant.apiKeys.create({ name: `key ${marker}`, role: "member", owner: keyOwner }, by)
  const credential = await tenant.credentials.create(
    { provider: "github", account: marker, kind: "custom", secret: { token: `secret ${marker}` } },
    { kind: "user", id: founder.id, role: "owner" },
  )
  const { signal } = await tenant.emit("thing.happened", { note: marker }, { dedupeKey: "the-same-key" })
  const actor = { id: founder.id, role: "owner" }
  const replay = await tenant.replays.start({ filter: { pattern: "thing.**" }, reason: marker }, { actor })
  const operation = await fleet.tenants.requestProvision(slug, { reason: marker })
  await fleet.operations.wait(operation.id)
  await fleet.limiter.take({ name: "of-tests", limit: 10, windowMs: 60_000 }, slug)
  return {
    scope: tenantScope(slug, placement),
    tenant,
    marker,
    owner,
    key: made.key,
    ids: {
      slug,
      member: member.userId,
      invitation: invitation.id,
      apiKey: made.record.id,
      serviceAccount: account.id,
      credential: credential.id,
      signal: signal.id,
      replay: replay.id,
      operation: operation.id,
    },
  }
}

/** An id of the same form that nobody has, next to it in any order: its last character is another. */
export function nobodys(id: string): string {
  const last = id.at(-1) ?? ""
  return `${id.slice(0, -1)}${last === "0" ? "1" : "0"}`
}
