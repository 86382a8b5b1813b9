import { readFileSync } from "node:fs"
import { Hono } from "hono"
import { FleetPromptError } from "../errors.ts"
import type { Health, HealthCheck } from "../fleet/health.ts"
import { open } from "./permit.ts"
import { problemOf } from "./problem.ts"

/** What is asked how it is: a fleet, started or not. */
export interface HealthSource {
  health(): Promise<Health>
}

/** How health is told. */
export interface HealthOptions {
  /** Whether answers hold the details of checks, which may name the database's host. Default false. */
  readonly details?: boolean
}

/** A fleet bounds its checks itself; when it does not answer even so, it is not ready. Milliseconds. */
const PATIENCE_MS = 3_000

/**
 * For whoever restarts processes and sends them requests. `GET /health` answers 200 for as long as the
 * process can answer at all: restart it when it does not. `GET /ready` answers 200 while the fleet is
 * started, is not stopping and its database works, else 503: send it no requests then, but do not restart
 * it, since a database that is away is not repaired by that.
 *
 * @example
 * app.route("/", healthRoutes(fleet))
 */
export function healthRoutes(fleet: HealthSource, { details = false }: HealthOptions = {}): Hono {
  const version = packageVersion()
  const routes = new Hono()
  const anybody = open("tells nothing of any tenant")
  routes.get("/health", anybody, (context) => {
    context.header("cache-control", "no-store")
    return context.json({ status: "alive", name: "fleetprompt", version, uptimeSeconds: Math.floor(process.uptime()) })
  })
  routes.get("/ready", anybody, async (context) => {
    const report = await reportOf(fleet)
    if (!report.ready) return notReady(report, details)
    context.header("cache-control", "no-store")
    return context.json({ ready: true, checks: report.checks.map((check) => shown(check, details)) })
  })
  return routes
}

async function reportOf(fleet: HealthSource): Promise<Health> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Health>((resolve) => {
    timer = setTimeout(() => resolve(failed(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS)
  })
  try {
    return await Promise.race([fleet.health().catch((error: unknown) => failed(String(error))), late])
  } finally {
    clearTimeout(timer)
  }
}

function failed(detail: string): Health {
  return { ready: false, checks: [{ name: "fleet", ok: false, detail }] }
}

function shown({ name, ok, detail }: HealthCheck, details: boolean): Partial<HealthCheck> {
  return details ? { name, ok, detail } : { name, ok }
}

function notReady({ checks }: Health, details: boolean): Response {
  const reasons = checks.filter(({ ok }) => !ok).map(({ name, detail }) => (details ? `${name} (${detail})` : name))
  const response = problemOf(
    new FleetPromptError(
      "not_ready",
      `expected a fleet that is ready, got one that is not: ${reasons.join(", ") || "fleet"}; try again later`,
    ),
  )
  response.headers.set("cache-control", "no-store")
  return response
}

function packageVersion(): string {
  // The package's own manifest, two folders up from src/server and from dist/server alike.
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string
  }
  return manifest.version
}
