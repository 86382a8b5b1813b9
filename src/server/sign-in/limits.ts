import { createHmac } from "node:crypto"
import { networkOf } from "../../access/client-address.ts"
import type { LimitVerdict, RequestLimit } from "../../access/request-limiter.ts"

const MINUTE_MS = 60_000

/**
 * The limits, of all processes together. The first stops guessing one account's password from one place; the second
 * from many places; the third stops trying one password on many accounts. Right passwords count as wrong ones do, so
 * that what is said does not depend on which it was.
 */
const PASSWORD_HERE: RequestLimit = { name: "sign-in-here", limit: 10, windowMs: 15 * MINUTE_MS }
const PASSWORD: RequestLimit = { name: "sign-in-account", limit: 60, windowMs: 60 * MINUTE_MS }
const ADDRESS: RequestLimit = { name: "sign-in-address", limit: 200, windowMs: 15 * MINUTE_MS }
/** Of callers whose address nobody knows: all together. */
const NO_ADDRESS: RequestLimit = { name: "sign-in-unknown", limit: 2_000, windowMs: 15 * MINUTE_MS }
/** Ways to an identity provider and back from one address: nothing is guessed there, and an office may share one. */
const FLOW: RequestLimit = { name: "sign-in-flow", limit: 3_000, windowMs: 15 * MINUTE_MS }
/** Mails to one person. */
const MAIL: RequestLimit = { name: "sign-in-mail", limit: 5, windowMs: 60 * MINUTE_MS }

/** What came of asking whether one more try is in order. */
export type Verdict = { readonly kind: "go" } | { readonly kind: "wait"; readonly retryAfterS: number }

/** Counts in all processes together, as `fleet.limiter` does. */
interface Limiter {
  readonly take: (limit: RequestLimit, subject: string) => Promise<LimitVerdict>
}

/** Counts tries of sign-in. */
export class SignInLimits {
  readonly #limiter: Limiter
  readonly #secret: string

  constructor(limiter: Limiter, secret: string) {
    this.#limiter = limiter
    this.#secret = secret
  }

  /** Before a password is checked. */
  async beforePassword(address: string | undefined, email: string): Promise<Verdict> {
    const place = address === undefined ? "unknown" : networkOf(address)
    const verdicts = [
      await this.beforeOther(address),
      await this.#take(PASSWORD_HERE, `${place} ${email}`),
      await this.#take(PASSWORD, email),
    ]
    return verdicts.find(({ kind }) => kind === "wait") ?? { kind: "go" }
  }

  /** Before anything else that a stranger may ask for. */
  beforeOther(address: string | undefined): Promise<Verdict> {
    return address === undefined ? this.#take(NO_ADDRESS, "all") : this.#take(ADDRESS, networkOf(address))
  }

  /** Before somebody goes to an identity provider or comes back. */
  beforeFlow(address: string | undefined): Promise<Verdict> {
    return address === undefined ? this.#take(NO_ADDRESS, "all") : this.#take(FLOW, networkOf(address))
  }

  /** Whether one more mail may go to somebody. */
  async mayMail(email: string): Promise<boolean> {
    return (await this.#take(MAIL, email)).kind === "go"
  }

  /** Under a hash that only this server can make, so that what is kept names nobody. */
  async #take(limit: RequestLimit, who: string): Promise<Verdict> {
    const subject = createHmac("sha256", this.#secret).update(who.toLowerCase()).digest("base64url")
    const { allowed, resetMs } = await this.#limiter.take(limit, subject)
    return allowed ? { kind: "go" } : { kind: "wait", retryAfterS: Math.max(1, Math.ceil(resetMs / 1000)) }
  }
}
