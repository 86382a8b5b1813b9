import { FleetPromptError } from "../errors.ts"
import { isUuid } from "../signal/id.ts"
import type { ApiKeyOwner } from "../store/api-keys.ts"
import { isScope } from "./scopes.ts"

/** What an API key is to be. */
export interface ApiKeyOptions {
  /** For people, up to 100 characters. */
  readonly name: string
  /** The most that the key may; its owner's role counts where that is less. */
  readonly role: "owner" | "admin" | "member"
  /** Whose it is. A key of a user works as long as the user is a member, one of a service account while that is enabled. */
  readonly owner: ApiKeyOwner
  /**
   * What the key is limited to: `signals:read`, `signals:*`, `*:read`, up to 50. Default: whatever the role may.
   */
  readonly scopes?: readonly string[]
  /** How long it works, milliseconds, at most 5 years. Default: 90 days; null: until it is revoked. */
  readonly lifetimeMs?: number | null
}

const DAY_MS = 86_400_000
/** How long a key works when nobody says. */
export const DEFAULT_LIFETIME_MS: number = 90 * DAY_MS
const MAX_LIFETIME_MS = 5 * 365 * DAY_MS
/** How long a key that was replaced still works, when nobody says. */
export const DEFAULT_OVERLAP_MS: number = DAY_MS
const MAX_OVERLAP_MS = 30 * DAY_MS
const MAX_SCOPES = 50
const MAX_NAME = 100
const MAX_OWNER_ID = 200
const ROLES: readonly string[] = ["owner", "admin", "member"]
const OWNER_KINDS: ReadonlySet<string> = new Set(["user", "service_account", "host"])

/** @throws FleetPromptError `api_key_invalid` */
export function checkKeyOptions({ name, role, owner, scopes, lifetimeMs }: ApiKeyOptions): void {
  checkName(name)
  checkRole(role)
  checkOwner(owner)
  if (scopes !== undefined) checkScopes(scopes)
  if (lifetimeMs !== undefined && lifetimeMs !== null && !isDuration(lifetimeMs, 1, MAX_LIFETIME_MS))
    throw invalid("lifetimeMs", `milliseconds from 1 to ${MAX_LIFETIME_MS}, or null`)
}

function checkOwner({ kind, id }: ApiKeyOwner): void {
  const isId = kind === "host" ? id.length > 0 && id.length <= MAX_OWNER_ID : isUuid(id) && id === id.toLowerCase()
  if (OWNER_KINDS.has(kind) && isId) return
  throw invalid("owner", `{ kind: "user" | "service_account" | "host", id }`)
}

/** @throws FleetPromptError `api_key_invalid` */
export function checkOverlap(overlapMs: number): number {
  if (isDuration(overlapMs, 0, MAX_OVERLAP_MS)) return overlapMs
  throw invalid("overlapMs", `milliseconds from 0 to ${MAX_OVERLAP_MS}`)
}

/** @throws FleetPromptError `api_key_invalid` */
export function checkName(name: string): string {
  if (typeof name === "string" && name.trim() !== "" && name.length <= MAX_NAME && !name.includes("\u0000")) return name
  throw invalid("name", `a name of up to ${MAX_NAME} characters`)
}

/** @throws FleetPromptError `api_key_invalid` */
export function checkRole(role: string): void {
  if (!ROLES.includes(role)) throw invalid("role", `one of ${ROLES.join(", ")}`)
}

function checkScopes(scopes: readonly string[]): void {
  const isList = Array.isArray(scopes) && scopes.length > 0 && scopes.length <= MAX_SCOPES
  if (!isList || !scopes.every((scope) => typeof scope === "string" && isScope(scope)))
    throw invalid("scopes", `1 to ${MAX_SCOPES} scopes such as signals:read, signals:* or *`)
}

function isDuration(ms: number, min: number, max: number): boolean {
  return Number.isInteger(ms) && ms >= min && ms <= max
}

function invalid(path: string, expected: string): FleetPromptError {
  return new FleetPromptError("api_key_invalid", `expected ${expected} as ${path}, got something else`, { path })
}
