import { FleetPromptError } from "../errors.ts"
import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { CredentialKind, CredentialRecord } from "../store/credentials.ts"

/** Is told what a credential is about to show; when it throws, nothing is shown. */
export type OnReveal = (secret: JsonValue) => void

/**
 * A credential that somebody may use now. Its secret comes out by `reveal` alone: printed, as JSON or within a text it is
 * `[credential 0198…]`.
 *
 * @example
 * const github = await context.credentials.get(credentialId)
 * await fetch(url, { headers: { authorization: `Bearer ${github.reveal("token")}` } })
 */
export class Credential {
  readonly id: string
  readonly provider: string
  readonly account: string
  readonly kind: CredentialKind
  readonly scopes: readonly string[]
  readonly expiresAt: Date | null
  readonly #secret: JsonObject
  readonly #onReveal: OnReveal

  constructor(record: CredentialRecord, secret: JsonObject, onReveal: OnReveal = () => {}) {
    this.id = record.id
    this.provider = record.provider
    this.account = record.account
    this.kind = record.kind
    this.scopes = record.scopes
    this.expiresAt = record.expiresAt
    this.#secret = secret
    this.#onReveal = onReveal
    Object.freeze(this)
  }

  /** The whole secret. Of a handler's credential, all of it is masked from then on in what the attempt leaves behind. */
  reveal(): JsonObject
  /**
   * One field, which must be a text.
   *
   * @throws FleetPromptError `credential_invalid` when there is no such text, `credential_unusable` after the attempt
   */
  reveal(field: string): string
  reveal(field?: string): JsonObject | string {
    if (field === undefined) {
      this.#onReveal(this.#secret)
      return this.#secret
    }
    const value = Object.hasOwn(this.#secret, field) ? this.#secret[field] : undefined
    if (typeof value !== "string") throw noText()
    this.#onReveal(value)
    return value
  }

  /** What stands for it wherever it is printed. */
  toString(): string {
    return `[credential ${this.id}]`
  }

  /** The same in JSON. */
  toJSON(): string {
    return this.toString()
  }

  /** The same in Node's console. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }
}

function noText(): FleetPromptError {
  return new FleetPromptError(
    "credential_invalid",
    "expected a field of the secret that is a text, there is none of that name; look at what was stored, or reveal the whole secret",
  )
}
