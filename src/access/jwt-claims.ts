import type { JWTPayload } from "jose"
import { FleetPromptError } from "../errors.ts"
import { checkSlug } from "../guard/slug.ts"
import type { Principal, Role } from "./principal.ts"
import { isScope } from "./scopes.ts"

/** Which claims say what. */
export interface ClaimNames {
  /** Who is calling. Default `sub`. */
  readonly id?: string
  /** Slug of the tenant. Default `tenant`. */
  readonly tenant?: string
  /** owner, admin or member. Default `role`. */
  readonly role?: string
  /**
   * What the caller is limited to: a list, or one text with spaces; words that are no scopes here are left out. A token
   * without the claim may then do nothing. Default: there is no such claim, and no limit but the role.
   */
  readonly scopes?: string
}

/** Who a token says is calling. */
export interface TokenCaller extends Pick<Principal, "id" | "tenant" | "role" | "scopes"> {}

const MAX_ID = 200
const ROLES: ReadonlySet<string> = new Set(["owner", "admin", "member", "operator"])

/** The caller by the names of claims; undefined when one is missing or of another form. */
export function callerByNames(payload: JWTPayload, names: ClaimNames): TokenCaller | undefined {
  const [id, tenant, role] = [names.id ?? "sub", names.tenant ?? "tenant", names.role ?? "role"].map((name) =>
    ownClaim(payload, name),
  )
  if (typeof id !== "string" || typeof tenant !== "string" || !isRole(role)) return undefined
  if (names.scopes === undefined) return { id, tenant, role }
  return { id, tenant, role, scopes: scopesIn(ownClaim(payload, names.scopes)) }
}

/**
 * The principal that a token makes its bearer.
 *
 * @throws FleetPromptError `unauthenticated` when the caller cannot be one
 */
export function checkCaller({ id, tenant, role, scopes }: TokenCaller, allowOperator: boolean): Principal {
  if (id === "" || id.length > MAX_ID) throw refused("an id of 1 to 200 characters")
  if (!isSlug(tenant)) throw refused("the slug of a tenant")
  if (!isRole(role) || (role === "operator" && !allowOperator)) throw refused("the role owner, admin or member")
  return Object.freeze({ kind: "host", id, tenant, role, ...(scopes && { scopes: [...scopes] }) })
}

function isSlug(tenant: string): boolean {
  try {
    return checkSlug(tenant) === tenant
  } catch {
    return false
  }
}

function scopesIn(claim: unknown): readonly string[] {
  const words: readonly unknown[] = typeof claim === "string" ? claim.split(" ") : Array.isArray(claim) ? claim : []
  return words.filter((word): word is string => typeof word === "string" && isScope(word))
}

/** A claim's name comes from the options, and the payload may have come with `__proto__`. */
function ownClaim(payload: JWTPayload, name: string): unknown {
  return Object.hasOwn(payload, name) ? payload[name] : undefined
}

function isRole(role: unknown): role is Role {
  return typeof role === "string" && ROLES.has(role)
}

function refused(expected: string): FleetPromptError {
  return new FleetPromptError("unauthenticated", `expected a token that names ${expected}, got one that does not`)
}
