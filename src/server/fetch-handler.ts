import { Hono } from "hono"
import { cors } from "hono/cors"
import { secureHeaders } from "hono/secure-headers"
import type { Authenticate } from "../access/authenticate.ts"
import { addressFinder, noteClientAddress } from "../access/client-address.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import { apiRoutes } from "./api-routes.ts"
import { healthRoutes } from "./health-routes.ts"
import { requestLimits } from "./limit-middleware.ts"
import { LiveFeed } from "./live-feed.ts"
import type { InvitationMail } from "./invitation-mail.ts"
import { metricsRoutes, type MetricsSource } from "./metrics-routes.ts"
import { pageRoutes } from "./page-files.ts"
import { authentication } from "./permit.ts"
import { notFound, problemOf } from "./problem.ts"
import { referenceRoutes } from "./reference-routes.ts"
import { DEFAULT_REQUEST_RULES, type RequestRule } from "./request-limits.ts"
import { serveRoutes } from "./route.ts"
import { webhookRoutes } from "./webhook-routes.ts"

/** How requests are answered. */
export interface FetchHandlerOptions {
  /** Finds out who is calling and for which tenant. Webhooks do not pass through it: they are signed. */
  readonly authenticate: Authenticate
  /**
   * How many requests are answered, see `docs/guides/limits.md`. Default: `defaultRequestLimits`; false: all. An address is
   * counted only where it is known: `serve` tells it, others pass it to `fetch`.
   */
  readonly limits?: readonly RequestRule[] | false
  /**
   * Proxies whose `X-Forwarded-For` is believed: addresses, networks such as `10.0.0.0/8`, or `private` for this machine
   * and all private networks. Default: none.
   */
  readonly trustedProxies?: readonly string[]
  /** Sends an invitation to its address. Default: the answer has its token, for whoever asked to pass on. */
  readonly sendInvitation?: (mail: InvitationMail) => Promise<void>
  /** Sign-in for people under `/auth`, of `createSignIn`. Default: none, and the page is open to whoever `authenticate` knows. */
  readonly signIn?: { readonly routes: Hono }
  /**
   * Host names (without port) that the page and its data answer to, so that a page of another site cannot
   * reach a server on this machine through a name of its own. Default: any.
   */
  readonly allowedHosts?: readonly string[]
  /**
   * Pages of other sites that may call `/v1` with an API key, as origins: `https://app.example.com`. Sessions are never
   * theirs. Default: none.
   */
  readonly corsOrigins?: readonly string[]
  /** What `GET /metrics` answers, for example `prometheusMetrics(fleet)` of `fleetprompt/prometheus`. Default: no such route. */
  readonly metrics?: MetricsSource
  /** What a scrape must show as Bearer token, 16 characters at least. Default: nothing. */
  readonly metricsToken?: string
  /** Where the built page is. Default: the one of the package. */
  readonly pageDirectory?: URL
  /** Is told of errors that answer 500. */
  readonly onError?: (error: unknown) => void
}

/** By which connection a request came. */
export interface Connection {
  /** The address at its other end: the client's, or a proxy's. */
  readonly remoteAddress?: string | undefined
}

/** A handler of web-standard requests. */
export interface FetchHandler {
  readonly fetch: (request: Request, connection?: Connection) => Response | Promise<Response>
  /** Ends the live feeds, so that a server can close. */
  readonly close: () => void
}

/**
 * Answers webhooks, reads of signals, the live feed and the page, for a running fleet. It is a plain
 * function from Request to Response, so it mounts in any server that speaks those.
 *
 * @example
 * const handler = createFetchHandler(fleet, { authenticate: (request) => principalOf(request) })
 * export default { fetch: handler.fetch }
 */
export function createFetchHandler(fleet: Fleet, options: FetchHandlerOptions): FetchHandler {
  const feed = new LiveFeed(fleet)
  const app = fetchApp(fleet, feed, options)
  const addressOf = addressFinder(options.trustedProxies ?? [])
  return {
    fetch: (request, connection) => {
      noteClientAddress(request, addressOf(request, connection?.remoteAddress))
      return app.fetch(request)
    },
    close: () => feed.close(),
  }
}

/** Every route that is answered. A test walks them: each says who may use it. */
export function fetchApp(fleet: Fleet, feed: LiveFeed, options: FetchHandlerOptions): Hono {
  const app = new Hono()
  // Before the page's headers: its own forms may be sent.
  if (options.signIn) app.route("/", options.signIn.routes)
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
      },
      strictTransportSecurity: false,
    }),
  )
  app.route("/", healthRoutes(fleet))
  const { metrics, metricsToken: token } = options
  if (metrics) app.route("/", metricsRoutes(metrics, token === undefined ? {} : { token }))
  const limits = requestLimits(fleet, options.limits === false ? [] : (options.limits ?? DEFAULT_REQUEST_RULES))
  app.use("/v1/webhooks/*", limits.webhooks)
  app.route("/v1/webhooks", webhookRoutes(fleet))
  if (options.allowedHosts) app.use(hostCheck(options.allowedHosts))
  // Before the rest: a browser asks first, without a key.
  if (options.corsOrigins) app.use("/v1/*", cors(corsOf(options.corsOrigins)))
  app.use("/v1/*", limits.byAddress, authentication(options.authenticate), limits.byCaller)
  const { sendInvitation, onError } = options
  const deps = { fleet, feed, ...(sendInvitation && { sendInvitation }), ...(onError && { onError }) }
  app.route("/", serveRoutes(apiRoutes, deps))
  app.route("/", referenceRoutes(apiRoutes))
  app.route("/", pageRoutes(options.pageDirectory))
  app.notFound(() => problemOf(notFound("something")))
  app.onError((error) => {
    const response = problemOf(error)
    if (response.status >= 500) options.onError?.(error)
    return response
  })
  return app
}

function corsOf(origins: readonly string[]) {
  return {
    origin: [...origins],
    allowHeaders: ["authorization", "content-type", "idempotency-key", "last-event-id", "traceparent"],
    exposeHeaders: ["location", "ratelimit", "ratelimit-policy", "retry-after"],
    maxAge: CORS_MAX_AGE_S,
  }
}

/** How long a browser remembers what it was allowed, seconds. */
const CORS_MAX_AGE_S = 600

function hostCheck(allowed: readonly string[]) {
  return async (context: { req: { url: string } }, next: () => Promise<void>): Promise<void> => {
    if (!allowed.includes(new URL(context.req.url).hostname)) {
      throw new FleetPromptError(
        "request_invalid",
        `expected one of the hosts ${allowed.join(", ")}, got another; open the page by its own address`,
      )
    }
    await next()
  }
}
