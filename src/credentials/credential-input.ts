import { FleetPromptError } from "../errors.ts"
import { isUuid } from "../signal/id.ts"
import type { JsonObject } from "../signal/json.ts"
import type { CredentialKind, CredentialStatus } from "../store/credentials.ts"

/** A credential to be stored. */
export interface CredentialInput {
  /** The system that it is for, small letters, digits, `_`, `-` and dots, at most 100: `github`. */
  readonly provider: string
  /** Whose account there, 1 to 200 characters: `octokit`. */
  readonly account: string
  readonly kind: CredentialKind
  /** Fields of your choice: `{ token: "…" }`. At most 32,768 bytes of JSON. */
  readonly secret: JsonObject
  /** What it allows, in the provider's words: at most 100, of 200 characters each. Default: none are noted. */
  readonly scopes?: readonly string[]
  /** When it ends. Default: never. */
  readonly expiresAt?: Date | null
}

/** A new secret for a credential. What is left out stays as it was. */
export type SecretInput = Pick<CredentialInput, "secret" | "scopes" | "expiresAt">

/** Which credentials to list. */
export interface CredentialListOptions {
  readonly provider?: string
  readonly status?: CredentialStatus
  /** The last id of the page before. */
  readonly after?: string
  /** 1 to 500. Default 100. */
  readonly limit?: number
}

interface Terms {
  readonly scopes?: readonly string[] | undefined
  readonly expiresAt?: Date | null | undefined
}

const KINDS: readonly CredentialKind[] = ["api_key", "oauth2", "basic", "certificate", "webhook_secret", "custom"]
const STATUSES: readonly CredentialStatus[] = ["active", "expired", "revoked", "error"]
const PROVIDER = /^[a-z0-9][a-z0-9._-]{0,99}$/
const MAX_ACCOUNT = 200
const MAX_SCOPES = 100
const MAX_SCOPE = 200
const MAX_LIMIT = 500
const DEFAULT_LIMIT = 100

/** @throws FleetPromptError `credential_invalid` */
export function checkInput({ provider, account, kind, scopes, expiresAt }: Omit<CredentialInput, "secret">): void {
  if (typeof provider !== "string" || !PROVIDER.test(provider))
    throw invalid("provider", "1 to 100 of a to z, 0 to 9, dot, _ and -")
  if (!isPlain(account, MAX_ACCOUNT)) throw invalid("account", `a text of 1 to ${MAX_ACCOUNT} characters`)
  if (!KINDS.includes(kind)) throw invalid("kind", `one of ${KINDS.join(", ")}`)
  checkTerms({ scopes, expiresAt })
}

/** @throws FleetPromptError `credential_invalid` */
export function checkTerms({ scopes, expiresAt }: Terms): void {
  if (scopes !== undefined && !areScopes(scopes))
    throw invalid("scopes", `at most ${MAX_SCOPES} texts of 1 to ${MAX_SCOPE} characters`)
  if (expiresAt && !(expiresAt instanceof Date && Number.isFinite(expiresAt.getTime())))
    throw invalid("expiresAt", "a date or null")
}

function areScopes(scopes: readonly string[]): boolean {
  return Array.isArray(scopes) && scopes.length <= MAX_SCOPES && scopes.every((scope) => isPlain(scope, MAX_SCOPE))
}

function isPlain(text: unknown, max: number): boolean {
  return (
    typeof text === "string" && text.length >= 1 && text.length <= max && text.isWellFormed() && !/\p{Cc}/u.test(text)
  )
}

/** Fills in what a list was not told. @throws FleetPromptError `query_invalid` */
export function checkList({ limit = DEFAULT_LIMIT, status, after, ...options }: CredentialListOptions) {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) throw wrongQuery("limit", `1 to ${MAX_LIMIT}`)
  if (status !== undefined && !STATUSES.includes(status)) throw wrongQuery("status", `one of ${STATUSES.join(", ")}`)
  if (after !== undefined && !isUuid(after)) throw wrongQuery("after", "the id of a credential")
  return { ...options, limit, ...(status !== undefined && { status }), ...(after !== undefined && { after }) }
}

function wrongQuery(path: string, expected: string): FleetPromptError {
  return new FleetPromptError("query_invalid", `expected ${expected} as ${path}, got something else`, { path })
}

function invalid(path: string, expected: string): FleetPromptError {
  return new FleetPromptError("credential_invalid", `expected ${expected} as ${path}, got something else`, { path })
}
