import { randomUUID } from "node:crypto"
import fc from "fast-check"
import type { Fleet } from "../../src/fleetprompt.ts"
import type { DirectiveRecord } from "../../src/store/directives.ts"
import { actingAs } from "../../src/access/acting.ts"
import type { AskById } from "./access-calls.ts"
import { KIT, type Orders, OTHER_KIT } from "./orders.ts"
import { SAME_KEY, type Side } from "./sides.ts"

/** Of what there are ids. */
export type OrderIdKind = keyof Orders | "signal" | "slug"

/** All that a tenant's doors do at once with directives and packages by an id, in the name of its owner. */
export function orderCallsOf(fleet: Fleet, { tenant, scope }: Side): Readonly<Record<string, AskById>> {
  const { directives, packages } = tenant
  const actor = { kind: "host", id: "anna", tenant: scope.slug, role: "owner" } as const
  const by = { by: actingAs(fleet.access, actor) }
  return {
    "directives.get": (id) => directives.get(id),
    "directives.list": (before) => directives.list({ before }),
    "directives.list of an actor": (id) => directives.list({ actor: id }),
    "directives.trail": (id) => directives.trail(id),
    "directives.wait": (id) => directives.wait(id, { signal: AbortSignal.timeout(1_000) }),
    "directives.cancel": (id) => directives.cancel(id, { actor }),
    "directives.approve": (id) => directives.approve(id, { actor }),
    "directives.reject": (id) => directives.reject(id, { actor }),
    "directives.rerun": (id) => directives.rerun(id, { actor }),
    "packages.get": (id) => packages.get(id),
    "packages.list": (before) => packages.list({ before }),
    "packages.plan with a credential": (id) => packages.plan({ slug: OTHER_KIT, credentials: { chat: id } }),
    "packages.install with a credential": (id) =>
      packages.install({ slug: OTHER_KIT, credentials: { chat: id } }, { actor }),
    "packages.upgrade with a credential": (id) => packages.upgrade({ slug: KIT, credentials: { chat: id } }, { actor }),
    "packages.uninstall": (id) => packages.uninstall(id, { actor }),
    "packages.execute": (id) => packages.execute(id, "say", {}, { actor }),
    "packages.execute with an id": (id) => packages.execute(KIT, "say", { id }, { actor }),
    "reviews for somebody": (slug) => fleet.packages.review(slug, KIT, { rating: 1 }, by),
    "reviews taken back for somebody": (slug) => fleet.packages.removeReview(slug, KIT, by),
    "directives of somebody": (slug) => fleet.directives.request("thing.order", {}, { tenant: slug, actor }),
    "packages of somebody": async (slug) => fleet.tenant(slug).packages.uninstall(KIT, { actor }),
  }
}

/** What a tenant orders about an id, by what the id is of: each is carried out, and answers with what came of it. */
export function orderedCallsOf({ tenant, orders }: Side): readonly (readonly [string, OrderIdKind, AskById])[] {
  const { directives, packages } = tenant
  const order = async (type: string, params: object, causationId?: string): Promise<DirectiveRecord> => {
    // A key of its own, or it would be compared with the one before.
    const options = { idempotencyKey: randomUUID(), ...(causationId !== undefined && { causationId }) }
    const { directive } = await directives.request(type, params, options)
    return directives.wait(directive.id)
  }
  /** Installs a package under an id that is taken elsewhere, and takes it away again. */
  const installAs = async (id: string): Promise<unknown> => {
    const credentials = [{ name: "chat", id: orders.credential }]
    const made = await order("package.install", {
      ...latest,
      package_slug: OTHER_KIT,
      installation_id: id,
      credentials,
    })
    const { directive } = await packages.uninstall(OTHER_KIT)
    return [made, await directives.wait(directive.id)]
  }
  const about = (id: string): object => ({ installation_id: id, package_slug: KIT })
  const latest = { version: "latest", config: { note: "mallory" } }
  return [
    ["thing.use", "credential", (credential) => order("thing.use", { credential })],
    ["thing.order because of it", "signal", (id) => order("thing.order", { note: "mallory" }, id)],
    ["package.install of another under it", "installation", installAs],
    ["package.install", "installation", (id) => order("package.install", { ...about(id), ...latest })],
    ["package.upgrade", "installation", (id) => order("package.upgrade", { ...about(id), ...latest })],
    ["package.disable", "installation", (id) => order("package.disable", about(id))],
    ["package.enable", "installation", (id) => order("package.enable", about(id))],
    ["package.rollback", "installation", (id) => order("package.rollback", { ...about(id), upgrade_id: id })],
    ["package.uninstall", "installation", (id) => order("package.uninstall", about(id))],
  ]
}

/** Arguments in the shapes that the doors of directives and packages take, with what another tenant has in each place. */
export function orderArguments({ ids, scope }: Side): fc.Arbitrary<readonly unknown[]> {
  const id = fc.constantFrom(...ids)
  const wish = fc.record({
    slug: fc.constantFrom(KIT, OTHER_KIT),
    credentials: fc.record({ chat: id }),
    config: fc.constant({ note: "mallory" }),
  })
  const params = fc.oneof(
    fc.record({ note: fc.constant("mallory") }),
    fc.record({ credential: id }),
    fc.record({ installation_id: id, package_slug: fc.constant(KIT) }),
    fc.record({ installation_id: id, package_slug: fc.constant(KIT), version: fc.constant("latest") }),
    fc.record({ installation_id: id, package_slug: fc.constant(KIT), upgrade_id: id }),
  )
  const type = fc.constantFrom("thing.order", "thing.use", "package.install", "package.upgrade", "package.uninstall")
  const options = fc.oneof(
    fc.constant({}),
    fc.record({ idempotencyKey: fc.constant(SAME_KEY), causationId: id, correlationId: id }),
    fc.record({ actor: fc.constant({ kind: "host", id: "mallory", tenant: scope.slug, role: "owner" }) }),
    fc.record({ tenant: fc.constant(scope.slug), ended: fc.constant(true), before: id, actor: id }),
  )
  return fc.oneof(
    fc.tuple(id),
    fc.tuple(id, options),
    fc.tuple(options),
    fc.tuple(fc.constantFrom(KIT, OTHER_KIT), options),
    fc.tuple(wish, options),
    fc.tuple(type, params, options),
    fc.tuple(fc.constant(KIT), fc.constant("say"), fc.record({ id }), options),
  )
}
