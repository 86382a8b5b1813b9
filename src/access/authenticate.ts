import type { Principal } from "./principal.ts"

/**
 * Finds out who is calling, from a session, key or token of the request; undefined when nobody known is. The one
 * port by which a host application brings its own people. It never goes by what a request says of itself: which
 * tenant and which role come from the host's own records.
 *
 * @throws FleetPromptError `unauthenticated` when it was shown something that is wrong, so that no other is asked
 * @example
 * const authenticate: Authenticate = async (request) => {
 *   const person = await sessionOf(request)
 *   return person && { kind: "host", id: person.id, tenant: person.organisation, role: "member" }
 * }
 */
export type Authenticate = (request: Request) => Principal | undefined | Promise<Principal | undefined>

/**
 * Asks one after the other; the first that knows the caller decides.
 *
 * @example
 * createFetchHandler(fleet, { authenticate: firstOf(bySession, byApiKey, byToken) })
 */
export function firstOf(...authenticators: readonly Authenticate[]): Authenticate {
  return async (request) => {
    for (const authenticate of authenticators) {
      const principal = await authenticate(request)
      if (principal) return principal
    }
    return undefined
  }
}
