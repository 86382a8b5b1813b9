import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Hono } from "hono"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { defineHandler } from "../src/delivery/handler.ts"
import { metricsRoutes } from "../src/server/metrics-routes.ts"
import { serve } from "../src/server/serve.ts"
import { metricTable } from "../src/telemetry/metric-table.ts"
import { prometheusMetrics, type PrometheusMetrics, type PrometheusOptions } from "../src/telemetry/prometheus.ts"
import { hasPrometheus, lintMetrics, lintRules, startPrometheus } from "./support/prometheus-server.ts"
import { testDatabase, type TestDatabase } from "./support/test-database.ts"
import { testFleet, type TestFleet } from "./support/test-fleet.ts"

const TOKEN = "scrape-me-if-you-know-this"
const SOON = { timeout: 20_000, interval: 100 }

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const done = defineHandler({ name: "metrics.done", on: "order.*", run: () => {} })
const dead = defineHandler({
  name: "metrics.dead",
  on: "order.paid",
  retry: { attempts: 1 },
  run: () => {
    throw new Error("always")
  },
})

interface Measured extends TestFleet {
  readonly metrics: PrometheusMetrics
}

/** A fleet that has run its handlers on two signals, and refused one. */
async function measuredFleet(options?: PrometheusOptions): Promise<Measured> {
  const started = await testFleet(db.database, { handlers: [done, dead] })
  const { fleet, tenant } = started
  const metrics = prometheusMetrics(fleet, { statsEveryMs: 0, ...options })
  onTestFinished(() => metrics.close())
  await tenant.emit("order.placed", {})
  await tenant.emit("order.paid", {})
  await expect(tenant.emit("order.paid", { price: Number.NaN })).rejects.toThrow("NaN")
  await fleet.drain()
  return { ...started, metrics }
}

/** The rules that the guide advises. */
async function guideRules(): Promise<string> {
  const guide = await readFile(new URL("../docs/guides/observability.md", import.meta.url), "utf8")
  return /^```yaml rules\n([\s\S]*?)^```$/m.exec(guide)?.[1] ?? expect.unreachable("no rules in the guide")
}

test("a fleet's metrics have what happened, and no tenant's name", async () => {
  const { metrics, tenant } = await measuredFleet()
  const text = await metrics.text()
  for (const line of [
    'fleetprompt_signals_emitted_total{inserted="true"} 2',
    'fleetprompt_emits_refused_total{code="data_not_json"} 1',
    "fleetprompt_deliveries_enqueued_total 3",
    'fleetprompt_deliveries_settled_total{handler="metrics.done",outcome="done"} 2',
    'fleetprompt_dead_letters_total{handler="metrics.dead"} 1',
    'fleetprompt_delivery_wait_seconds_count{handler="metrics.done"} 2',
    "fleetprompt_stats_failures_total 0",
  ]) {
    expect(text).toContain(`\n${line}\n`)
  }
  expect(text).toMatch(/fleetprompt_statement_duration_seconds_count\{statement="\w+"\} \d/)
  expect(text).not.toContain(tenant.slug)
})

describe.skipIf(!hasPrometheus())("the real Prometheus", () => {
  test("finds nothing wrong with the metrics", async () => {
    const { metrics } = await measuredFleet({ tenantLabel: true, processMetrics: true })
    expect(await lintMetrics(await metrics.text())).toBe("")
  })

  test("finds what is wrong with metrics and rules", async () => {
    expect(await lintMetrics("# TYPE orders counter\norders 1\n")).toContain("_total")
    const directory = await mkdtemp(join(tmpdir(), "fleetprompt-rules-"))
    onTestFinished(() => rm(directory, { recursive: true }))
    const file = join(directory, "rules.yml")
    await writeFile(file, "groups: [{ name: a, rules: [{ alert: B, expr: 'sum(' }] }]")
    expect(await lintRules(file)).toContain("could not parse expression")
    await writeFile(file, await guideRules())
    expect(await lintRules(file)).toBe("")
  })

  test("scrapes a fleet that runs, answers queries, and raises the guide's alerts", async () => {
    const { metrics, tenant, fleet } = await measuredFleet()
    const app = new Hono().route("/", metricsRoutes(metrics, { token: TOKEN }))
    const server = await serve({ fetch: (request) => app.fetch(request), close: () => {} }, { port: 0 })
    onTestFinished(() => server.close())
    const prometheus = await startPrometheus(new URL(server.url).host, TOKEN, await guideRules())
    onTestFinished(() => prometheus.stop())
    const settled = 'sum by (handler) (fleetprompt_deliveries_settled_total{outcome=~"done|dead"})'
    await expect.poll(() => prometheus.query(settled), SOON).toEqual({ "metrics.done": 2, "metrics.dead": 1 })
    expect(Object.values(await prometheus.query("up"))).toEqual([1])
    for (let at = 0; at < 3; at++) await tenant.emit("order.paid", {})
    await fleet.drain()
    await expect.poll(() => prometheus.query(settled), SOON).toEqual({ "metrics.done": 5, "metrics.dead": 4 })
    const firing = 'count by (alertname, handler) (ALERTS{alertstate="firing"})'
    await expect.poll(() => prometheus.query(firing), SOON).toHaveProperty("FleetPromptDeadLetters,metrics.dead")
    const names = await prometheus.get("label/__name__/values")
    const missing = Object.entries(metricTable).filter(([name, { kind }]) => {
      return !(names as string[]).includes(`fleetprompt_${name}${kind === "histogram" ? "_bucket" : ""}`)
    })
    const ofWhatDidNotHappen = [
      "conditions_failed_total",
      "handlers_late_total",
      "schedules_fired_total",
      "access_denied_total",
      "directives_requested_total",
      "directives_ended_total",
      "directive_attempts_failed_total",
      "directive_duration_seconds",
      "background_failures_total",
      "statement_errors_total",
    ]
    expect(ofWhatDidNotHappen).toEqual(expect.arrayContaining(missing.map(([name]) => name)))
    expect(JSON.stringify(await prometheus.get("rules"))).not.toContain('"health":"err"')
  })

  test("is refused without the token", async () => {
    const { metrics } = await measuredFleet()
    const app = new Hono().route("/", metricsRoutes(metrics, { token: TOKEN }))
    const server = await serve({ fetch: (request) => app.fetch(request), close: () => {} }, { port: 0 })
    onTestFinished(() => server.close())
    const prometheus = await startPrometheus(new URL(server.url).host, "another-token-it-is", "groups: []")
    onTestFinished(() => prometheus.stop())
    await expect.poll(async () => Object.values(await prometheus.query("up")), SOON).toEqual([0])
  })
})
