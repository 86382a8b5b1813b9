import type { SSOOptions, SSOUserResolution, SSOUserResolutionInput } from "@better-auth/sso"
import type { IdentityProvider, OidcProvider, SamlProvider } from "./options.ts"

const MINUTE_MS = 60_000
const REQUEST_LIFETIME_MS = 10 * MINUTE_MS
const REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
const CLOCK_SKEW_MS = 2 * MINUTE_MS

/** Providers as the plugin takes them. They are set by configuration alone: nobody can add one over HTTP. */
export function providerOptions(providers: readonly IdentityProvider[], origin: string): SSOOptions {
  return {
    defaultSSO: providers.map((provider) => ({
      providerId: provider.id,
      domain: provider.domains.join(","),
      ...(provider.kind === "oidc"
        ? { oidcConfig: oidcConfig(provider) }
        : { samlConfig: samlConfig(provider, origin) }),
    })),
    providersLimit: 0,
    organizationProvisioning: { disabled: true },
    resolveUser: (input, { database }) => resolvePerson(input, providers, database),
    saml: {
      enableInResponseToValidation: true,
      allowIdpInitiated: false,
      requestTTL: REQUEST_LIFETIME_MS,
      clockSkew: CLOCK_SKEW_MS,
      requireTimestamps: true,
      algorithms: { onDeprecated: "reject" },
    },
  }
}

function oidcConfig({ issuer, clientId, clientSecret, scopes }: OidcProvider) {
  return {
    issuer,
    clientId,
    clientSecret,
    pkce: true,
    discoveryEndpoint: `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`,
    scopes: [...(scopes ?? ["openid", "email", "profile"])],
  }
}

function samlConfig({ id, entityId, entryPoint, certificates, attributes }: SamlProvider, origin: string) {
  const serviceProvider = samlEntityId(origin, id)
  return {
    issuer: serviceProvider,
    audience: serviceProvider,
    entryPoint,
    cert: [...certificates],
    wantAssertionsSigned: true,
    idpMetadata: {
      entityID: entityId,
      cert: [...certificates],
      singleSignOnService: [{ Binding: REDIRECT, Location: entryPoint }],
      // Signing out everywhere is off; without an address for it samlify complains on the console each time.
      singleLogoutService: [{ Binding: REDIRECT, Location: entryPoint }],
    },
    mapping: { email: attributes?.email ?? "email", name: attributes?.name ?? "displayName" },
  }
}

/** How we are called at a SAML provider: the audience of its assertions. */
export function samlEntityId(origin: string, provider: string): string {
  return `${origin}/auth/api/sso/saml2/sp/metadata?providerId=${provider}`
}

type Rows = Parameters<NonNullable<SSOOptions["resolveUser"]>>[1]["database"]

/**
 * Whom a provider's answer stands for. A provider speaks for addresses of its own domains alone. Somebody known by
 * address is linked, since every address here was shown to be its owner's; not so when the provider had given that
 * address to another subject before: the address then went from one person to the next.
 */
async function resolvePerson(
  { providerId, accountKey, providerUser }: SSOUserResolutionInput,
  providers: readonly IdentityProvider[],
  rows: Rows,
): Promise<SSOUserResolution> {
  const email = providerUser.email.toLowerCase()
  const provider = providers.find(({ id }) => id === providerId)
  if (!provider?.domains.includes(email.slice(email.lastIndexOf("@") + 1)))
    return { action: "reject", code: "domain_not_allowed" }
  const person = await rows.findOne<{ id: string }>({ model: "user", where: [{ field: "email", value: email }] })
  if (!person) return { action: "continue" }
  const accounts = await rows.findMany<{ accountId: string }>({
    model: "account",
    where: [
      { field: "userId", value: person.id },
      { field: "providerId", value: providerId },
    ],
  })
  if (accounts.length === 0) return { action: "link", userId: person.id, profile: "preserve" }
  if (accounts.some(({ accountId }) => accountId === accountKey.accountId)) return { action: "continue" }
  return { action: "reject", code: "subject_changed" }
}
