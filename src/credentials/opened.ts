import type { JsonObject } from "../signal/json.ts"
import type { CredentialRecord } from "../store/credentials.ts"

/** A credential with its secret, as it was read a moment ago. */
export interface Opened {
  readonly record: CredentialRecord
  /** Empty for one that was revoked. */
  readonly secret: JsonObject
  /** When it expires, on this process's own clock (`performance.now`); infinite: never. */
  readonly expiresAtMs: number
}
