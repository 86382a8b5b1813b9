import type { AuditActor } from "../audit/audit-entry.ts"
import type { Permission } from "./policies.ts"
import type { AccessPolicy, Resource } from "./policy.ts"
import { actorOf } from "./principal-actor.ts"
import type { Principal } from "./principal.ts"

/**
 * For whom something is done: named in the audit log, and asked about where the decision depends on what is found in
 * the database, such as the role of the member who is to be removed.
 */
export interface Acting {
  readonly actor: AuditActor
  /** Throws when they may not. */
  readonly authorise: (action: Permission, resource: Resource) => void
}

/** Options of everything that is done to people. */
export interface ActingOptions {
  /**
   * For whom it is done, see `actingAs`. Default: the program itself, which may do everything and is `system` in the
   * audit log.
   */
  readonly by?: Acting
}

/** The program itself. */
export const system: Acting = Object.freeze({
  actor: Object.freeze({ kind: "system", id: "program" }),
  authorise: () => {},
})

/** Whether the program answers for what is done itself, so that nobody is asked whether it may be. */
export function isTrusted({ authorise }: Acting): boolean {
  return authorise === system.authorise
}

/**
 * Somebody who calls, and may do what the policies let them.
 *
 * @example
 * await fleet.tenant("acme").members.changeRole(userId, "admin", { by: actingAs(fleet.access, principal) })
 */
export function actingAs(access: Pick<AccessPolicy, "authorise">, principal: Principal): Acting {
  return Object.freeze({
    actor: actorOf(principal),
    authorise: (action: Permission, resource: Resource) => access.authorise(principal, action, resource),
  })
}

/** A program of the host that acts for somebody whom it has checked itself. */
export function actingFor(actor: AuditActor): Acting {
  return Object.freeze({ actor, authorise: system.authorise })
}
