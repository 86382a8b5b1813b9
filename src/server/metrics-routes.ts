import { createHash, timingSafeEqual } from "node:crypto"
import { Hono } from "hono"
import { FleetPromptError } from "../errors.ts"
import { open } from "./permit.ts"
import { problemOf } from "./problem.ts"

/** What `/metrics` answers. `prometheusMetrics` of `fleetprompt/prometheus` makes one. */
export interface MetricsSource {
  /** The media type of `text`. */
  readonly contentType: string
  text(): Promise<string>
}

/** Who may read the metrics. */
export interface MetricsAccess {
  /**
   * What a scrape must show, as `authorization: Bearer …`; 16 characters at least. Default: nothing, so that
   * anyone who reaches the address may read them.
   */
  readonly token?: string
}

const MIN_TOKEN_LENGTH = 16

/**
 * `GET /metrics`, for Prometheus.
 *
 * @throws FleetPromptError `config_invalid` when the token is too short
 */
export function metricsRoutes(metrics: MetricsSource, { token }: MetricsAccess = {}): Hono {
  const mayRead = token === undefined ? () => true : bearerCheck(token)
  const routes = new Hono()
  routes.get("/metrics", open("has a token of its own, or a network that only scrapers reach"), async (context) => {
    if (!mayRead(context.req.header("authorization") ?? "")) return refusal()
    return context.body(await metrics.text(), 200, {
      "content-type": metrics.contentType,
      "cache-control": "no-store",
    })
  })
  return routes
}

/** Compares digests, so that the time tells nothing about the token. */
function bearerCheck(token: string): (authorization: string) => boolean {
  if (token.length < MIN_TOKEN_LENGTH) {
    throw new FleetPromptError(
      "config_invalid",
      `expected a metrics token of ${MIN_TOKEN_LENGTH} characters at least, got ${token.length}; generate a longer one`,
    )
  }
  const expected = sha256(token)
  return (authorization) => {
    const [, given] = /^bearer +(\S+)$/i.exec(authorization) ?? []
    return given !== undefined && timingSafeEqual(sha256(given), expected)
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest()
}

function refusal(): Response {
  const error = new FleetPromptError(
    "unauthenticated",
    "expected the metrics token as authorization: Bearer, got none or another; set bearer credentials for this scrape",
  )
  const response = problemOf(error)
  response.headers.set("www-authenticate", "Bearer")
  return response
}
