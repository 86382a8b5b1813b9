import { clientAddressOf } from "../../access/client-address.ts"
import { FleetPromptError } from "../../errors.ts"
import type { Mail } from "./mail.ts"

/** Into which organisation people come who sign in by a provider. */
export interface ProviderJoins {
  /** The tenant's slug. */
  readonly tenant: string
  readonly role: "admin" | "member"
}

interface ProviderBase {
  /** Names it in addresses: `https://…/auth/sso/<id>`. Small letters, digits and hyphens. Never change it: it names people's accounts. */
  readonly id: string
  /** What the button says: "Sign in with <name>". */
  readonly name: string
  /**
   * Domains of the email addresses that this provider may speak for, `acme.com`. Whoever comes with another address is
   * refused, so that one organisation's provider cannot make itself another's people.
   */
  readonly domains: readonly string[]
  /** Makes whoever signs in by it a member. Default: people must have been invited. */
  readonly joins?: ProviderJoins
}

/** An identity provider that speaks OpenID Connect. */
export interface OidcProvider extends ProviderBase {
  readonly kind: "oidc"
  /** Its issuer, exactly as its discovery document says: `https://accounts.example.com`. */
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Default `openid`, `email`, `profile`. */
  readonly scopes?: readonly string[]
}

/** An identity provider that speaks SAML 2.0. */
export interface SamlProvider extends ProviderBase {
  readonly kind: "saml"
  /** The provider's entity id. */
  readonly entityId: string
  /** Where people are sent to sign in (HTTP-Redirect binding). */
  readonly entryPoint: string
  /** Certificates in PEM form that its assertions may be signed with; several while one takes over from another. */
  readonly certificates: readonly string[]
  /** Names of attributes. Default: `email` and `displayName`; without such an attribute the name id is taken. */
  readonly attributes?: { readonly email?: string; readonly name?: string }
}

/** An identity provider. */
export type IdentityProvider = OidcProvider | SamlProvider

/** How people sign in. */
export interface SignInOptions {
  /**
   * Where people reach the server: `https://fleet.example.com`. Cookies, links in mails and the check against forged
   * requests go by it. Plain http is for this machine alone (localhost, 127.0.0.1, [::1]).
   */
  readonly publicUrl: string
  /**
   * What sessions are signed with: 32 characters at least. Who has it and can write to the database can forge sessions.
   * With another, everybody must sign in again.
   */
  readonly secret: string
  /** Sends a mail. Default: none is sent, and what needs one says so. */
  readonly sendMail?: (mail: Mail) => void | Promise<void>
  /** `invitation`: only who was invited. `open`: anybody with an email address may make an organisation. Default `invitation`. */
  readonly signUp?: "invitation" | "open"
  /** Identity providers besides passwords. */
  readonly providers?: readonly IdentityProvider[]
  /** After how long without use a session ends, milliseconds. Default 12 hours. */
  readonly idleMs?: number
  /** After how long a session ends in any case, milliseconds. Default 7 days. */
  readonly lifetimeMs?: number
  /** The caller's network address, for limits and the list of sessions. Default: as `serve` found it out. */
  readonly addressOf?: (request: Request) => string | undefined
  /** Is told of what went wrong that the caller is not told. */
  readonly onError?: (error: unknown) => void
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const MIN_SECRET_LENGTH = 32
const LOCAL_HOSTS = new Set(["localhost", "127.0.0.1", "[::1]"])
const PROVIDER_ID = /^[a-z][a-z0-9-]{0,39}$/
const DOMAIN = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/

/** The options with their defaults, checked. */
export interface SignInSettings extends Required<Omit<SignInOptions, "publicUrl" | "sendMail" | "onError">> {
  /** `https://fleet.example.com`, without a slash at its end. */
  readonly origin: string
  readonly isSecure: boolean
  readonly sendMail: SignInOptions["sendMail"] | undefined
  readonly onError: (error: unknown) => void
}

/** @throws FleetPromptError `config_invalid` */
export function signInSettings(options: SignInOptions): SignInSettings {
  const { origin, protocol, hostname } = publicUrlOf(options.publicUrl)
  const isSecure = protocol === "https:"
  if (!isSecure && !LOCAL_HOSTS.has(hostname)) {
    throw invalid(
      `https as publicUrl, since passwords and sessions go over it, got ${origin}; plain http is for localhost`,
    )
  }
  if (options.secret.length < MIN_SECRET_LENGTH) {
    throw invalid(
      `a secret of ${MIN_SECRET_LENGTH} characters at least, got ${options.secret.length}; make one with \`openssl rand -base64 32\``,
    )
  }
  const { providers = [], idleMs = 12 * HOUR_MS, lifetimeMs = 7 * DAY_MS } = options
  checkDuration("idleMs", idleMs)
  checkDuration("lifetimeMs", lifetimeMs)
  checkProviders(providers)
  return {
    origin,
    isSecure,
    secret: options.secret,
    sendMail: options.sendMail,
    signUp: options.signUp ?? "invitation",
    providers,
    idleMs,
    lifetimeMs,
    addressOf: options.addressOf ?? clientAddressOf,
    onError: options.onError ?? (() => {}),
  }
}

function publicUrlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain =
    url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === "/" && url.search === "" && url.hash === ""
  if (url && isPlain && url.username === "" && url.password === "") return url
  throw invalid("publicUrl to be the address that people open, such as https://fleet.example.com, without a path")
}

function checkDuration(name: string, ms: number): void {
  if (Number.isInteger(ms) && ms >= 1_000 && ms <= 400 * DAY_MS) return
  throw invalid(`${name} to be from 1 second to 400 days in milliseconds, got ${ms}`)
}

function checkProviders(providers: readonly IdentityProvider[]): void {
  if (new Set(providers.map(({ id }) => id)).size < providers.length)
    throw invalid("each provider to have an id of its own")
  for (const { id, domains } of providers) {
    if (!PROVIDER_ID.test(id)) throw invalid(`small letters, digits and hyphens as the id of a provider, got "${id}"`)
    if (domains.length === 0 || !domains.every((domain) => DOMAIN.test(domain))) {
      throw invalid(`domains of email addresses for the provider ${id}, such as acme.com, got "${domains.join(", ")}"`)
    }
  }
}

function invalid(expected: string): FleetPromptError {
  return new FleetPromptError("config_invalid", `sign-in: expected ${expected}`)
}
