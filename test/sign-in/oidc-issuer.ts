import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { type Configuration, Provider } from "oidc-provider"
import { onTestFinished } from "vitest"

/** Somebody at the provider. */
export interface OidcPerson {
  readonly sub: string
  readonly email: string
  readonly name: string
}

/** A real OpenID provider, which signs in whoever the test says. */
export interface OidcIssuer {
  readonly issuer: string
  readonly client: { readonly clientId: string; readonly clientSecret: string }
  /** Signs this one in at the provider from now on. */
  readonly becomes: (person: OidcPerson) => void
}

/** Starts one; it ends with the test. */
export async function oidcIssuer(redirectUri: string): Promise<OidcIssuer> {
  const client = { clientId: "fleetprompt", clientSecret: "a client's secret of the test, long enough" }
  let current: OidcPerson | undefined
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => {}
  const server = createServer((request, response) => handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const address = server.address()
  const issuer = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
  const provider = new Provider(
    issuer,
    configuration(client, redirectUri, () => current),
  )
  const answer = provider.callback()
  handle = (request, response) => {
    if (request.url?.startsWith("/interaction/")) void interact(provider, request, response, current)
    else void answer(request, response)
  }
  return { issuer, client, becomes: (person) => (current = person) }
}

function configuration(
  { clientId, clientSecret }: OidcIssuer["client"],
  redirectUri: string,
  current: () => OidcPerson | undefined,
): Configuration {
  return {
    clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    cookies: { keys: ["a key of the test"] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({ sub, email: current()?.email, email_verified: false, name: current()?.name }),
    }),
  }
}

/** Says yes to everything, as whoever is signed in there. */
async function interact(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
  person: OidcPerson | undefined,
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  if (!person) {
    await provider.interactionFinished(request, response, { error: "access_denied" })
  } else if (prompt.name === "login") {
    await provider.interactionFinished(request, response, { login: { accountId: person.sub } })
  } else {
    const grant = new provider.Grant({ accountId: session?.accountId ?? "", clientId: String(params["client_id"]) })
    grant.addOIDCScope("openid email profile")
    await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } })
  }
}
