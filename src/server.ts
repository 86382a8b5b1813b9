/** The door for HTTP: a handler of web-standard requests, and a server to run it alone. */
export { apiKeyAuthenticator, type ApiKeyCheck } from "./access/api-key-authenticator.ts"
export { type Authenticate, firstOf } from "./access/authenticate.ts"
export type { Principal, Role } from "./access/principal.ts"
export type { LimitVerdict, RequestLimit } from "./access/request-limiter.ts"
export { DEFAULT_REQUEST_RULES as defaultRequestLimits, type RequestRule } from "./server/request-limits.ts"
export {
  type Connection,
  createFetchHandler,
  type FetchHandler,
  type FetchHandlerOptions,
} from "./server/fetch-handler.ts"
export type { MetricsSource } from "./server/metrics-routes.ts"
export { type RunningServer, serve, type ServeOptions } from "./server/serve.ts"
export type { Mail } from "./server/sign-in/mail.ts"
export type {
  IdentityProvider,
  OidcProvider,
  ProviderJoins,
  SamlProvider,
  SignInOptions,
} from "./server/sign-in/options.ts"
export { createSignIn, type SignIn } from "./server/sign-in/sign-in.ts"
