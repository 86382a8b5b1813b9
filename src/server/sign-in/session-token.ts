import { createHash, randomBytes } from "node:crypto"

const TOKEN_BYTES = 24

/** A session's token: its browser has it, and the database the hash of it. */
export function newSessionToken(): string {
  return randomBytes(TOKEN_BYTES).toString("base64url")
}

/** By what a session is found. What a browser shows must be hashed to it, so that it is no token by itself. */
export function hashOfToken(token: string): string {
  return createHash("sha256").update(token).digest("base64url")
}
