import { createHash, randomBytes } from "node:crypto"
import { isUuid } from "../signal/id.ts"

/** What the link of an invitation holds. */
export interface InvitationToken {
  readonly tenant: string
  readonly id: string
  /** SHA-256 of the secret part, in hex: what is kept. The secret has 256 bits, so nothing more is needed. */
  readonly hash: string
}

const PREFIX = "fpi_"
const SECRET_BYTES = 32
const TOKEN = /^fpi_([a-z][a-z0-9_]{1,40})\.([0-9a-f-]{36})\.([\w-]{43})$/

/**
 * A token that is shown once. It names its tenant, so that who shows it is looked for within that tenant's walls; the
 * name opens nothing without the secret.
 */
export function newInvitationToken(tenant: string, id: string): { readonly token: string; readonly hash: string } {
  const secret = randomBytes(SECRET_BYTES).toString("base64url")
  return { token: `${PREFIX}${tenant}.${id}.${secret}`, hash: hashOf(secret) }
}

/** Reads a token; undefined when it is none. */
export function parseInvitationToken(token: unknown): InvitationToken | undefined {
  const [, tenant = "", id = "", secret = ""] = (typeof token === "string" && TOKEN.exec(token)) || []
  return isUuid(id) ? { tenant, id, hash: hashOf(secret) } : undefined
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex")
}
