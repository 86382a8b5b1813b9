import { type Acting, actingAs } from "../../src/access/acting.ts"
import type { Fleet } from "../../src/fleetprompt.ts"
import type { AccessSide } from "./access-side.ts"
import { textOf } from "./sides.ts"

/** Something that one asks for by an id. */
export type AskById = (id: string) => Promise<unknown>

/** All that a tenant's doors do with people, keys, secrets and logs by an id, in the name of its owner. */
export function callsOf(fleet: Fleet, { tenant, owner }: AccessSide): Readonly<Record<string, AskById>> {
  const by: { readonly by: Acting } = { by: actingAs(fleet.access, owner) }
  const actor = { kind: "user", id: owner.id, role: "owner" } as const
  const { members, invitations, apiKeys, serviceAccounts, credentials, audit, signals, replays } = tenant
  const secret = { secret: { token: "mallory" } }
  return {
    "members.get": (id) => members.get(id),
    "members.list": (after) => members.list({ after }),
    "members.add": (id) => members.add(id, "member", by),
    "members.changeRole": (id) => members.changeRole(id, "admin", by),
    "members.remove": (id) => members.remove(id, by),
    "invitations.list": (before) => invitations.list({ before }),
    "invitations.resend": (id) => invitations.resend(id, by),
    "invitations.revoke": (id) => invitations.revoke(id, by),
    "apiKeys.get": (id) => apiKeys.get(id),
    "apiKeys.list": (before) => apiKeys.list({ before }),
    "apiKeys.list of an account": (id) => apiKeys.list({ owner: { kind: "service_account", id } }),
    "apiKeys.create for an account": (id) =>
      apiKeys.create({ name: "mallory", role: "member", owner: { kind: "service_account", id } }, by),
    "apiKeys.create for a person": (id) =>
      apiKeys.create({ name: "mallory", role: "member", owner: { kind: "user", id } }, by),
    "apiKeys.rotate": (id) => apiKeys.rotate(id, by),
    "apiKeys.revoke": (id) => apiKeys.revoke(id, by),
    "serviceAccounts.get": (id) => serviceAccounts.get(id),
    "serviceAccounts.update": (id) => serviceAccounts.update(id, { name: "mallory" }, by),
    "serviceAccounts.remove": (id) => serviceAccounts.remove(id, by),
    "credentials.get": (id) => credentials.get(id),
    "credentials.list": (after) => credentials.list({ after }),
    "credentials.use": (id) => credentials.use(id, actor),
    "credentials.replace": (id) => credentials.replace(id, secret, actor),
    "credentials.revoke": (id) => credentials.revoke(id, actor),
    "credentials.remove": (id) => credentials.remove(id, actor),
    "audit.list of a person": (id) => audit.list({ actor: id }),
    "audit.list of a thing": (id) => audit.list({ resource: `member:${id}` }),
    "audit.list of a flow": (correlationId) => audit.list({ correlationId }),
    "signals.get": (id) => signals.get(id, ["internal", "admin_only"]),
    "replays.get": (id) => replays.get(id),
    "people.principalOf": (slug) => fleet.people.principalOf(owner.id, { tenant: slug }),
    "people.choose": (slug) => fleet.people.choose(owner.id, slug),
    "people.accept": (id) => fleet.people.accept(`fpi_${owner.tenant}.${id}.${"A".repeat(43)}`, owner.id),
  }
}

/** What came of a call. */
export interface Told {
  /** All of it. */
  readonly text: string
  /** What a caller sees of it, with the id by another name. */
  readonly gist: string
}

/** Asks by an id. */
export async function told(ask: AskById, id: string): Promise<Told> {
  const answer = await ask(id).catch((error: unknown) => error)
  const text = textOf(answer)
  const gist = answer instanceof Error ? textOf([Reflect.get(answer, "code"), answer.message]) : text
  return { text, gist: gist.replaceAll(id, "<id>") }
}
