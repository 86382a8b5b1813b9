import { Hono } from "hono"
import { secureHeaders } from "hono/secure-headers"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import { healthRoutes } from "./health-routes.ts"
import { LiveFeed } from "./live-feed.ts"
import { metricsRoutes, type MetricsSource } from "./metrics-routes.ts"
import { pageRoutes } from "./page-files.ts"
import type { Authenticate } from "./principal.ts"
import { notFound, problemOf } from "./problem.ts"
import { signalRoutes } from "./signal-routes.ts"
import { webhookRoutes } from "./webhook-routes.ts"

/** How requests are answered. */
export interface FetchHandlerOptions {
  /** Finds out who is calling and for which tenant. Webhooks do not pass through it: they are signed. */
  readonly authenticate: Authenticate
  /**
   * Host names (without port) that the page and its data answer to, so that a page of another site cannot
   * reach a server on this machine through a name of its own. Default: any.
   */
  readonly allowedHosts?: readonly string[]
  /** What `GET /metrics` answers, for example `prometheusMetrics(fleet)` of `fleetprompt/prometheus`. Default: no such route. */
  readonly metrics?: MetricsSource
  /** What a scrape must show as Bearer token, 16 characters at least. Default: nothing. */
  readonly metricsToken?: string
  /** Where the built page is. Default: the one of the package. */
  readonly pageDirectory?: URL
  /** Is told of errors that answer 500. */
  readonly onError?: (error: unknown) => void
}

/** A handler of web-standard requests. */
export interface FetchHandler {
  readonly fetch: (request: Request) => Response | Promise<Response>
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
  const app = new Hono()
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
  app.route("/v1/webhooks", webhookRoutes(fleet))
  if (options.allowedHosts) app.use(hostCheck(options.allowedHosts))
  app.route("/v1", signalRoutes(fleet, feed, options.authenticate))
  app.route("/", pageRoutes(options.pageDirectory))
  app.notFound(() => problemOf(notFound("something")))
  app.onError((error) => {
    const response = problemOf(error)
    if (response.status >= 500) options.onError?.(error)
    return response
  })
  return { fetch: (request) => app.fetch(request), close: () => feed.close() }
}

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
