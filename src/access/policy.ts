/**
 * May this caller do that? The one place where it is decided, by the table in policies.ts.
 *
 * Each fleet has one `AccessPolicy`, `fleet.access`. The HTTP routes ask it through `permit` of
 * src/server/permit.ts; whoever acts for a principal elsewhere asks it directly:
 *
 *     fleet.access.authorise(principal, "api_keys:create", { belongsTo: userId, role, scopes })
 *
 * - `isAllowed(principal, action, resource)` answers, and tells nobody.
 * - `authorise(principal, action, resource)` throws, and tells who listens that something was denied.
 * - `admit(principal, action, resource)` does the same, and waits until an operator's look is in the audit log.
 * - `admitAct(principal, action, resource)` is for what its door notes in the audit log itself, with who did it.
 *
 * The functions of this file decide by the table alone; an `AccessPolicy` knows the fleet's restrictions too.
 */
import type { AuditActor } from "../audit/audit-entry.ts"
import { FleetPromptError } from "../errors.ts"
import type { Visibility } from "../signal/stored-signal.ts"
import { type Permission, policies, type Policy } from "./policies.ts"
import type { Principal, Role } from "./principal.ts"
import type { Restrictions, RestrictionsBook } from "./restrictions.ts"
import { coversScopes, scopesAllow } from "./scopes.ts"

/** What something is to be done to, as far as the decision needs to know it. */
export interface Resource {
  /** Slug of the tenant whose it is. Default: the principal's. */
  readonly tenant?: string
  /** Its id, for the audit log. */
  readonly id?: string
  /** Id of the user or service account whose it is: who may do something only to what is their own needs it. */
  readonly belongsTo?: string
  /** The role that it has or is to get: nobody gives, takes or touches a role above their own. */
  readonly role?: Role
  /**
   * The scopes that a key is to get; null: all. Nobody gives away more than they have. Leave it out where no scopes
   * are given.
   */
  readonly scopes?: readonly string[] | null
}

/** Why something may not be done. */
export type Denial =
  /** The thing is another tenant's: to this caller it does not exist. */
  | { readonly kind: "tenant" }
  /** The caller has chosen no tenant, and it is something of a tenant. */
  | { readonly kind: "no_tenant" }
  /** The role may not; these may. */
  | { readonly kind: "role"; readonly roles: readonly Role[] }
  /** A key or service account wants what only people may do. */
  | { readonly kind: "people" }
  /** The key's scopes leave it out. */
  | { readonly kind: "scope" }
  /** A role or scope above the caller's own is to be given or touched. */
  | { readonly kind: "rank" }

const RANK: Readonly<Record<Role, number>> = { member: 1, admin: 2, owner: 3, operator: 3 }

/** Whether the role may be given or touched by whoever has the other one. Nobody makes an operator here. */
export function mayGrant(granter: Role, role: Role): boolean {
  return role !== "operator" && RANK[granter] >= RANK[role]
}

/**
 * Why a principal may not do something; undefined when it may.
 *
 * @example
 * denialOf({ kind: "user", id: "1", tenant: "acme", role: "member" }, "credentials:read") // { kind: "role", … }
 */
export function denialOf(
  principal: Principal,
  action: Permission,
  resource: Resource = {},
  restrictions: Restrictions = {},
): Denial | undefined {
  const policy: Policy = policies[action]
  if (principal.tenant === NO_TENANT && !isOfPlatform(principal, action)) return { kind: "no_tenant" }
  if (!reachesTenant(principal, resource)) return { kind: "tenant" }
  const roles = rolesOf(policy, restrictions[action], principal, resource)
  if (!isTrueRole(principal) || !roles.includes(principal.role)) return { kind: "role", roles }
  if (policy.people && isMachine(principal)) return { kind: "people" }
  if (!scopesAllow(principal.scopes, action)) return { kind: "scope" }
  if (resource.role !== undefined && !mayGrant(principal.role, resource.role)) return { kind: "rank" }
  if (resource.scopes !== undefined && !coversScopes(principal.scopes, resource.scopes)) return { kind: "rank" }
  return undefined
}

/** Whether a principal may do something, by the table alone. */
export function isAllowed(principal: Principal, action: Permission, resource: Resource = {}): boolean {
  return denialOf(principal, action, resource) === undefined
}

/** The tenant of a caller who has chosen none. No tenant can have this name. */
export const NO_TENANT = "*"

/** What is the whole platform's: an operator needs to look into no tenant for it, and does it to any. */
const OF_PLATFORM = ["tenants:", "schedules:", "packages:", "health:"]

function isOfPlatform({ role }: Principal, action: Permission): boolean {
  return role === "operator" && OF_PLATFORM.some((resource) => action.startsWith(resource))
}

/** One's own tenant alone. */
function reachesTenant({ tenant }: Principal, resource: Resource): boolean {
  return tenant === NO_TENANT || resource.tenant === undefined || resource.tenant === tenant
}

function rolesOf(
  { roles, own = [] }: Policy,
  left: readonly Role[] | undefined,
  { id }: Principal,
  { belongsTo }: Resource,
): readonly Role[] {
  const may = belongsTo === id ? [...new Set([...roles, ...own])] : roles
  return left ? may.filter((role) => left.includes(role)) : may
}

/** A key or account that says it is an operator is none. */
function isTrueRole({ kind, role }: Principal): boolean {
  return role === "operator" ? kind === "operator" || kind === "host" : kind !== "operator"
}

function isMachine({ kind }: Principal): boolean {
  return kind === "api_key" || kind === "service_account"
}

/** Something that was refused. */
export interface Denied {
  readonly principal: Principal
  readonly action: Permission
  readonly resource: Resource
  readonly denial: Denial
}

/** Who is told what was decided. */
export interface AccessListener {
  /** Something was refused. Must not throw. */
  readonly onDenied: (denied: Denied) => void
  /** An operator is about to look into a tenant or to change something there; nothing happens before this resolves. */
  readonly onOperator: (principal: Principal, action: Permission, resource: Resource) => Promise<void>
}

/** The program itself, where nobody else is named. */
const PROGRAM: AuditActor = { kind: "system", id: "program" }

/** Decides for one fleet, by the table and the fleet's restrictions. */
export class AccessPolicy {
  readonly #listener: AccessListener
  readonly #restrictions: RestrictionsBook

  constructor(restrictions: RestrictionsBook, listener: AccessListener) {
    this.#restrictions = restrictions
    this.#listener = listener
  }

  /** What is taken away from the table: by this process's options, and by all processes together. */
  get restrictions(): Restrictions {
    return this.#restrictions.current
  }

  /**
   * Replaces what all processes of the fleet take away from the table together. It is kept in the database and stands
   * in the platform's audit log. It holds in this process from the next decision on, in the others within 2 seconds,
   * and live feeds are opened anew. What the process was made with (`restrictions` of the options) stays besides.
   *
   * @param actor who did it. Default: the program.
   * @throws FleetPromptError `config_invalid` when one names what is no permission or no role, `fleet_stopped`
   * @example
   * await fleet.access.restrict({ "signals:emit": ["owner", "admin"] }) // members only read from now on
   */
  restrict(restrictions: Restrictions, actor: AuditActor = PROGRAM): Promise<void> {
    return this.#restrictions.replace(restrictions, actor)
  }

  /** Is called after each change of the restrictions, until the returned function is called. */
  onChange(changed: () => void): () => void {
    return this.#restrictions.onChange(changed)
  }

  /**
   * Resolves when the restrictions that are known are at most 2 seconds old. For who calls `isAllowed` or `authorise`
   * without a request before it; `admit` does it.
   */
  refresh(): Promise<void> {
    return this.#restrictions.refresh()
  }

  /** Whether a principal may do something. Tells nobody. */
  isAllowed(principal: Principal, action: Permission, resource: Resource = {}): boolean {
    return denialOf(principal, action, resource, this.#restrictions.current) === undefined
  }

  /**
   * Lets a principal do something, or throws. A denial is told as telemetry `access.denied` and stands in the
   * tenant's audit log.
   *
   * @throws FleetPromptError `forbidden`; `not_found` when it is another tenant's
   */
  authorise(principal: Principal, action: Permission, resource: Resource = {}): void {
    const denial = denialOf(principal, action, resource, this.#restrictions.current)
    if (!denial) return
    this.#listener.onDenied({ principal, action, resource, denial })
    throw refusalOf(principal, action, denial)
  }

  /**
   * As `authorise`, for whoever acts at once: goes by restrictions that are at most 2 seconds old, and what an
   * operator does in a tenant is in its audit log before this resolves.
   *
   * @throws FleetPromptError `forbidden`, `not_found`
   */
  async admit(principal: Principal, action: Permission, resource: Resource = {}): Promise<void> {
    await this.admitAct(principal, action, resource)
    if (principal.role === "operator") await this.#listener.onOperator(principal, action, resource)
  }

  /**
   * As `admit`, for an act whose door notes it in the audit log itself, in the same commit and with who did it: one act
   * is one entry.
   *
   * @throws FleetPromptError `forbidden`, `not_found`
   */
  async admitAct(principal: Principal, action: Permission, resource: Resource = {}): Promise<void> {
    await this.#restrictions.refresh()
    this.authorise(principal, action, resource)
  }

  /** Which signals a principal may read. */
  visibleTo(principal: Principal): readonly Visibility[] {
    return [
      ...(this.isAllowed(principal, "signals:read") ? (["internal"] as const) : []),
      ...(this.isAllowed(principal, "signals:read_admin_only") ? (["admin_only"] as const) : []),
    ]
  }
}

/** What the caller is told: what was wanted, what they are, and what would do. */
function refusalOf({ kind, role }: Principal, action: Permission, denial: Denial): FleetPromptError {
  const forbidden = (expected: string, came: string, todo: string): FleetPromptError =>
    new FleetPromptError("forbidden", `expected ${expected} for "${action}", got ${came}; ${todo}`)
  switch (denial.kind) {
    case "tenant":
      return new FleetPromptError(
        "not_found",
        "expected something of your own tenant, there is nothing at this address that you may see; check the address",
      )
    case "no_tenant":
      return forbidden(
        "a caller who has chosen an organisation",
        "one who has not",
        "choose one of /v1/me/organisations first",
      )
    case "role":
      return forbidden(
        denial.roles.length > 0 ? `the role ${denial.roles.join(" or ")}` : "something that is your own",
        `${article(kind)} with the role ${role}`,
        "ask an owner of the tenant",
      )
    case "people":
      return forbidden("a person", article(kind), "sign in and do it yourself")
    case "scope":
      return forbidden("a key with that scope", "one without it", "make a key that has the scope")
    case "rank":
      return forbidden(
        "no role or scope above the caller's own",
        `a higher one than the caller's (${role})`,
        "ask somebody who has it",
      )
  }
}

function article(kind: Principal["kind"]): string {
  return {
    user: "a person",
    host: "a person",
    operator: "an operator",
    api_key: "a key",
    service_account: "an account",
  }[kind]
}
