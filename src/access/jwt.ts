import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
} from "jose"
import { FleetPromptError, isFleetPromptError } from "../errors.ts"
import type { Authenticate } from "./authenticate.ts"
import { bearerOf } from "./bearer.ts"
import { type ClaimNames, callerByNames, checkCaller, type TokenCaller } from "./jwt-claims.ts"
import { carefulFetch } from "./jwt-keys.ts"

/** Whose tokens are believed, and what they say. */
export interface JwtOptions {
  /** What `iss` must be, exactly. Tokens of others are left to the next authenticator. */
  readonly issuer: string
  /** What `aud` must hold: a name of this service, so that a token for another service is none for this one. */
  readonly audience: string | readonly string[]
  /** Where the issuer's public keys are, an `https:` address. Either this or `keys`. */
  readonly jwksUrl?: string
  /** The issuer's public keys. */
  readonly keys?: JSONWebKeySet
  /** Algorithms of signatures that are accepted; asymmetric ones alone. Default: RS256, PS256, ES256, ES384, EdDSA, Ed25519. */
  readonly algorithms?: readonly string[]
  /** How far the issuer's clock may be off, seconds, at most 300. Default 30. */
  readonly clockToleranceS?: number
  /** How old a token may be by its `iat`, seconds, whatever its `exp` says. Default: no limit but `exp`. */
  readonly maxAgeS?: number
  /**
   * Which claims say who is calling, or a function that finds out; undefined from it: nobody known. Default: `sub`,
   * `tenant` and `role`, and no scopes.
   */
  readonly claims?: ClaimNames | ((claims: JWTPayload) => TokenCaller | undefined | Promise<TokenCaller | undefined>)
  /** Whether a token may make its bearer an operator of the platform. Default false. */
  readonly allowOperator?: boolean
  /** Fetches the keys. Default: the runtime's `fetch`. */
  readonly fetch?: typeof fetch
}

const DEFAULT_ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
const ASYMMETRIC = new Set(
  ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"].concat("EdDSA", "Ed25519"),
)
const DEFAULT_TOLERANCE_S = 30
const MAX_TOLERANCE_S = 300
/** Longer tokens are not looked at. */
const MAX_TOKEN_LENGTH = 16_384
/** How long fetched keys are used, milliseconds. */
const KEYS_KEPT_MS = 600_000
/** How long an unknown key id causes no further fetch, milliseconds: so a flood of them causes two a minute. */
const REFETCH_PAUSE_MS = 30_000
const FETCH_TIMEOUT_MS = 5_000

/**
 * Believes tokens (JWT) of one issuer, sent as `Authorization: Bearer …`. A token must be signed by a key of the
 * issuer's with an accepted algorithm, be meant for this service, have a subject and an end, and be within its time.
 * New keys of the issuer are fetched when a token names one that is not known, at most twice a minute.
 *
 * The tenant and role come from the token: whoever has the issuer's keys may name any tenant. Believe issuers only
 * whose claims your own people write, and map roles with a function where theirs mean something else.
 *
 * @throws FleetPromptError `config_invalid` at once for options that are not safe; later `unauthenticated` for a token of
 * this issuer that is wrong, and `issuer_unreachable` when its keys cannot be fetched
 * @example
 * const byToken = jwtAuthenticator({
 *   issuer: "https://login.example.com/",
 *   audience: "fleetprompt",
 *   jwksUrl: "https://login.example.com/.well-known/jwks.json",
 *   claims: { tenant: "org", role: "org_role" },
 * })
 */
export function jwtAuthenticator(options: JwtOptions): Authenticate {
  const { issuer, audience, maxAgeS, claims = {}, allowOperator = false } = options
  const rules = {
    issuer,
    audience: typeof audience === "string" ? audience : [...audience],
    algorithms: checkAlgorithms(options.algorithms ?? DEFAULT_ALGORITHMS),
    clockTolerance: checkTolerance(options.clockToleranceS ?? DEFAULT_TOLERANCE_S),
    requiredClaims: ["exp", "sub"],
    ...(maxAgeS !== undefined && { maxTokenAge: maxAgeS }),
  }
  checkAudience(options)
  const keys = keysOf(options)
  const callerOf = typeof claims === "function" ? claims : (payload: JWTPayload) => callerByNames(payload, claims)
  return async (request) => {
    const token = bearerOf(request)
    if (token === undefined || issuerOf(token) !== issuer) return undefined
    const { payload } = await jwtVerify(token, keys, rules).catch(refuse)
    const caller = await callerOf(payload)
    return caller && checkCaller(caller, allowOperator)
  }
}

/** What a token says of its issuer; nothing is believed yet. */
function issuerOf(token: string): string | undefined {
  if (token.length > MAX_TOKEN_LENGTH) return undefined
  try {
    return decodeJwt(token).iss
  } catch {
    return undefined
  }
}

function keysOf({ jwksUrl, keys, fetch: fetchKeys = fetch }: JwtOptions): JWTVerifyGetKey {
  if (keys && jwksUrl === undefined) return createLocalJWKSet(keys)
  if (keys || jwksUrl === undefined) throw invalid("either keys or jwksUrl", "both or none")
  const url = URL.canParse(jwksUrl) ? new URL(jwksUrl) : undefined
  if (!url || !isPrivate(url)) throw invalid("an https: address as jwksUrl", "another")
  return createRemoteJWKSet(url, {
    cacheMaxAge: KEYS_KEPT_MS,
    cooldownDuration: REFETCH_PAUSE_MS,
    timeoutDuration: FETCH_TIMEOUT_MS,
    [customFetch]: carefulFetch(fetchKeys),
  })
}

/** Nobody on the way can put keys of their own in place of the issuer's. */
function isPrivate({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname))
}

function checkAlgorithms(algorithms: readonly string[]): string[] {
  const isSafe = algorithms.length > 0 && algorithms.every((algorithm) => ASYMMETRIC.has(algorithm))
  if (isSafe) return [...algorithms]
  throw invalid(`algorithms of ${[...ASYMMETRIC].join(", ")}`, "none or others")
}

function checkTolerance(seconds: number): number {
  if (seconds >= 0 && seconds <= MAX_TOLERANCE_S) return seconds
  throw invalid(`clockToleranceS from 0 to ${MAX_TOLERANCE_S}`, String(seconds))
}

function checkAudience({ issuer, audience }: JwtOptions): void {
  const names = typeof audience === "string" ? [audience] : audience
  if (issuer !== "" && names.length > 0 && names.every((name) => name !== "")) return
  throw invalid("an issuer and an audience", "an empty one")
}

function invalid(expected: string, came: string): FleetPromptError {
  return new FleetPromptError("config_invalid", `expected ${expected} for tokens of an issuer, got ${came}`)
}

function refuse(error: unknown): never {
  if (isFleetPromptError(error)) throw error
  if (error instanceof errors.JWKSTimeout)
    throw new FleetPromptError(
      "issuer_unreachable",
      "expected the keys of the token's issuer, got no answer; try again",
    )
  if (!(error instanceof errors.JOSEError)) throw error
  throw new FleetPromptError("unauthenticated", `expected a token that is valid, got one ${faultOf(error)}`)
}

function faultOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return "that has expired; get a new one"
  if (error instanceof errors.JWTClaimValidationFailed)
    return `whose claim ${JSON.stringify(error.claim)} is missing or not accepted; get one for this service`
  if (error instanceof errors.JWKSNoMatchingKey) return "signed by a key that its issuer does not have; get a new one"
  return "that is not signed as it must be; get a new one"
}
