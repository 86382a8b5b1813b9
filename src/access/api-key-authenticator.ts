import { FleetPromptError } from "../errors.ts"
import type { Authenticate } from "./authenticate.ts"
import { bearerOf } from "./bearer.ts"
import { clientAddressOf } from "./client-address.ts"
import type { Principal } from "./principal.ts"

/** What checks keys: a running fleet. */
export interface ApiKeyCheck {
  readonly apiKeys: { readonly check: (text: string, address?: string) => Promise<Principal | undefined> }
}

/**
 * Knows callers by their API key, sent as `Authorization: Bearer fp_…` or `X-API-Key: fp_…`. The tenant is the key's.
 * A request without such a key is left to the next authenticator.
 *
 * @throws FleetPromptError later, `unauthenticated` for a key that does not work, and `database_busy` or what the database
 * throws when that has to be asked
 * @example
 * createFetchHandler(fleet, { authenticate: firstOf(apiKeyAuthenticator(fleet), byToken) })
 */
export function apiKeyAuthenticator(fleet: ApiKeyCheck): Authenticate {
  return async (request) => {
    const text = request.headers.get("x-api-key") ?? bearerOf(request)
    if (!text?.startsWith("fp_")) return undefined
    const principal = await fleet.apiKeys.check(text, clientAddressOf(request))
    if (principal) return principal
    throw new FleetPromptError(
      "unauthenticated",
      "expected an API key that works, got one that is mistyped, was revoked or has expired; make a new one",
    )
  }
}
