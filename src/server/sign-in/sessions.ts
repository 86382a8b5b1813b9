import { LRUCache } from "lru-cache"
import type { Authenticate } from "../../access/authenticate.ts"
import type { Principal } from "../../access/principal.ts"
import type { Database } from "../../store/database.ts"
import {
  deleteEndedSessions,
  deleteSessionOfToken,
  type SessionRow,
  touchSession,
} from "../../store/sign-in-sessions.ts"
import type { SignInSettings } from "./options.ts"
import type { SignInPeople } from "./people.ts"
import { checkSameOrigin } from "./same-origin.ts"
import { hashOfToken } from "./session-token.ts"
import type { SessionCookie } from "./session-cookie.ts"

/** The session of a request. */
export interface CurrentSession extends SessionRow {
  /** A secret of its browser. */
  readonly token: string
}

interface Known {
  readonly session: SessionRow | undefined
  readonly principal: Principal | undefined
}

/**
 * How long what was found is believed. A session that was ended, a role that was changed and a member who was removed
 * are out in every process after this time at the latest.
 */
const BELIEVED_MS = 900
const MAX_KNOWN = 10_000
/** How many look-ups are between two removals of sessions that have ended. */
const LOOKUPS_PER_PRUNE = 1_000

/** What sessions are looked up with. */
export interface SessionsDeps {
  readonly database: Database
  readonly settings: SignInSettings
  readonly cookie: SessionCookie
  readonly people: SignInPeople
}

/** Finds out whose session a request comes with. */
export class Sessions {
  readonly #deps: SessionsDeps
  /** By a hash, so that no token of a session stays in memory longer than its request. */
  readonly #known = new LRUCache<string, Promise<Known>>({ max: MAX_KNOWN, ttl: BELIEVED_MS })
  #lookups = 0

  constructor(deps: SessionsDeps) {
    this.#deps = deps
  }

  /**
   * Who is calling, by the session's cookie.
   *
   * @throws FleetPromptError `forbidden` when another site made a browser send the request
   */
  readonly authenticate: Authenticate = async (request) => {
    const token = this.#deps.cookie.read(request)
    if (token === undefined) return undefined
    const { principal } = await this.#find(token)
    // After the look-up: a cookie that opens nothing needs no protection, and a key may come beside it.
    if (principal) checkSameOrigin(request, this.#deps.settings.origin)
    return principal
  }

  /** The session itself, asked anew. */
  async current(request: Request): Promise<CurrentSession | undefined> {
    const token = this.#deps.cookie.read(request)
    if (token === undefined) return undefined
    const session = await touchSession(this.#deps.database, hashOfToken(token), this.#deps.settings.idleMs)
    return session && { ...session, token }
  }

  /** Ends the session that a request comes with, if any. */
  async end(request: Request): Promise<void> {
    const token = this.#deps.cookie.read(request)
    if (token === undefined) return
    const hash = hashOfToken(token)
    await deleteSessionOfToken(this.#deps.database, hash)
    this.#known.delete(hash)
  }

  /** Forgets what is believed, when something was changed in this process. */
  forget(): void {
    this.#known.clear()
  }

  #find(token: string): Promise<Known> {
    const key = hashOfToken(token)
    const known = this.#known.get(key)
    if (known) return known
    const found = this.#lookUp(key)
    this.#known.set(key, found)
    // A failure is not believed.
    found.catch(() => this.#known.delete(key))
    return found
  }

  async #lookUp(tokenHash: string): Promise<Known> {
    const { database, settings, people } = this.#deps
    this.#lookups += 1
    if (this.#lookups % LOOKUPS_PER_PRUNE === 0) await deleteEndedSessions(database, settings.idleMs)
    const session = await touchSession(database, tokenHash, settings.idleMs)
    return { session, principal: session && (await people.principalOf(session.personId)) }
  }
}
