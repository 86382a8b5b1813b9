import { Hono } from "hono"
import { type MeasuredFleet, prometheusMetrics } from "../telemetry/prometheus.ts"
import type { FetchHandler } from "./fetch-handler.ts"
import { type HealthSource, healthRoutes } from "./health-routes.ts"
import { metricsRoutes } from "./metrics-routes.ts"
import { notFound, problemOf } from "./problem.ts"

/** Who may read what a process without a page tells of itself. */
export interface ProbeOptions {
  /** What a scrape must show as a bearer token. Default: nothing. */
  readonly metricsToken?: string | undefined
}

/**
 * Answers `/health`, `/ready` and `/metrics` for a process that has no page. Make it before the fleet
 * starts, so that it answers while schemas are brought up to date and counts from the first event on.
 *
 * @throws FleetPromptError `config_invalid` when the token is too short
 */
export function createProbeHandler(
  fleet: HealthSource & MeasuredFleet,
  { metricsToken }: ProbeOptions = {},
): FetchHandler {
  const metrics = prometheusMetrics(fleet, { processMetrics: true })
  const app = new Hono()
  app.route("/", healthRoutes(fleet, { details: true }))
  app.route("/", metricsRoutes(metrics, metricsToken === undefined ? {} : { token: metricsToken }))
  app.notFound(() => problemOf(notFound("something")))
  app.onError((error) => problemOf(error))
  return { fetch: (request) => app.fetch(request), close: () => metrics.close() }
}
