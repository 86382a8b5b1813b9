import type { BetterAuthOptions } from "better-auth"
import type { Database } from "../../store/database.ts"
import { SIGN_IN_SCHEMA, signInDialect } from "../../store/sign-in-dialect.ts"
import type { SignInPeers } from "./load-peers.ts"
import type { SignInSettings } from "./options.ts"
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from "./password-rules.ts"
import { type Person, personOf } from "./person.ts"
import { providerOptions } from "./provider-options.ts"
import { cookiePrefix } from "./session-cookie.ts"

/** Where better-auth's own addresses begin. Only those of identity providers can be reached from outside. */
export const ENGINE_PATH = "/auth/api"
/** Only we set it, on requests that we make: the caller's network address. */
export const ADDRESS_HEADER = "x-fleetprompt-address"
const RESET_LIFETIME_S = 3_600

/** What the engine is made with. */
export interface EngineDeps {
  readonly database: Database
  readonly settings: SignInSettings
  readonly sendReset: (person: Person, token: string) => Promise<void>
  /** Somebody set a password by a mail's link. */
  readonly onReset: (person: Person) => Promise<void>
}

/** How better-auth is set up. */
export function engineOptions({ database, settings, sendReset, onReset }: EngineDeps, { kysely, sso }: SignInPeers) {
  const { origin, isSecure, secret, lifetimeMs, providers, onError } = settings
  return {
    appName: "FleetPrompt",
    baseURL: origin,
    basePath: ENGINE_PATH,
    secret,
    trustedOrigins: [
      origin,
      ...providers.flatMap((each) => (each.kind === "oidc" ? [new URL(each.issuer).origin] : [])),
    ],
    database: {
      dialect: signInDialect(database, kysely),
      type: "postgres",
      schemaName: SIGN_IN_SCHEMA,
      transaction: true,
    },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: MIN_PASSWORD_LENGTH,
      maxPasswordLength: MAX_PASSWORD_LENGTH,
      resetPasswordTokenExpiresIn: RESET_LIFETIME_S,
      revokeSessionsOnPasswordReset: true,
      onPasswordReset: ({ user }) => onReset(personOf(user)),
      sendResetPassword: ({ user, token }) => sendReset(personOf(user), token),
    },
    // Its age is what better-auth knows of; how long it was idle we see to ourselves.
    session: { expiresIn: Math.floor(lifetimeMs / 1000), disableSessionRefresh: true },
    account: { updateAccountOnSignIn: false, accountLinking: { enabled: true, disableImplicitLinking: true } },
    // Tokens of mails are kept as hashes; so is what else is looked up by a secret.
    verification: { storeIdentifier: "hashed" },
    databaseHooks: { account: { create: { before: async (account) => ({ data: { ...account, ...NO_TOKENS } }) } } },
    plugins: sso ? [sso(providerOptions(providers, origin))] : [],
    rateLimit: { enabled: false },
    advanced: {
      // The prefix is ours: better-auth's own would be __Secure-.
      useSecureCookies: false,
      cookiePrefix: cookiePrefix(isSecure),
      defaultCookieAttributes: { httpOnly: true, sameSite: "lax", path: "/", secure: isSecure },
      ipAddress: { ipAddressHeaders: [ADDRESS_HEADER] },
      database: { validateSchema: false },
    },
    onAPIError: { errorURL: `${origin}/auth/sign-in` },
    telemetry: { enabled: false },
    logger: {
      level: "error",
      log: (_level, message) => onError(new Error(`sign-in: ${message}`)),
    },
  } satisfies BetterAuthOptions
}

/** What a provider gives besides saying who it is; nobody needs it, so nobody keeps it. */
const NO_TOKENS = {
  accessToken: null,
  refreshToken: null,
  idToken: null,
  accessTokenExpiresAt: null,
  refreshTokenExpiresAt: null,
  scope: null,
}
