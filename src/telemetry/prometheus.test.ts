import { describe, expect, onTestFinished, test } from "vitest"
import { FleetPromptError } from "../errors.ts"
import type { TelemetryEvents } from "./events.ts"
import type { FleetStats } from "./fleet-stats.ts"
import { prometheusMetrics, type PrometheusMetrics, type PrometheusOptions } from "./prometheus.ts"
import { Telemetry } from "./telemetry.ts"

const stats: FleetStats = {
  queue: [{ handler: "h", due: 3, scheduled: 2, running: 1, oldestDueAgeMs: 1500 }],
  oldestSnapshot: { ageMs: 2500, transactions: 7 },
  pool: { total: 5, idle: 3, waiting: 4 },
}

const about = { tenant: "acme", signalId: "s", type: "t", correlationId: "s", causationId: null }
const settled: TelemetryEvents["delivery.settled"] = {
  ...about,
  handler: "h",
  handlerVersion: 1,
  replayId: null,
  attempt: 1,
  outcome: "done",
  error: undefined,
  waitMs: 20,
  durationMs: 2000,
}

interface Measured {
  readonly telemetry: Telemetry
  readonly metrics: PrometheusMetrics
  /** The lines of a metric, without its prefix. */
  readonly lines: (name: string) => Promise<readonly string[]>
}

function measured(options: PrometheusOptions = {}, read: () => Promise<FleetStats> = async () => stats): Measured {
  const telemetry = new Telemetry()
  const metrics = prometheusMetrics({ telemetry, stats: read }, options)
  const lines = async (name: string): Promise<readonly string[]> =>
    (await metrics.text())
      .split("\n")
      .filter((line) => /^fleetprompt_(\w+)/.exec(line)?.[1] === name)
      .map((line) => line.replace("fleetprompt_", ""))
  return { telemetry, metrics, lines }
}

const emitted = { ...about, inserted: true, deliveries: 3, durationMs: 1 }

describe("events", () => {
  test("of emit are counted and timed", async () => {
    const { telemetry, lines } = measured()
    telemetry.tell("signal.emitted", emitted)
    telemetry.tell("signal.emitted", { ...emitted, inserted: false, deliveries: 0 })
    const refused = { tenant: "acme", type: "t", durationMs: 1 }
    telemetry.tell("signal.refused", { ...refused, error: new FleetPromptError("data_too_large", "too large") })
    telemetry.tell("signal.refused", { ...refused, error: new Error("mine") })
    telemetry.tell("emit.queue_full", { tenant: "acme", waiting: 9 })
    expect(await lines("signals_emitted_total")).toEqual([
      'signals_emitted_total{inserted="true"} 1',
      'signals_emitted_total{inserted="false"} 1',
    ])
    expect(await lines("deliveries_enqueued_total")).toEqual(["deliveries_enqueued_total 3"])
    expect(await lines("emits_refused_total")).toEqual([
      'emits_refused_total{code="data_too_large"} 1',
      'emits_refused_total{code="other"} 1',
    ])
    expect(await lines("emits_turned_away_total")).toEqual(["emits_turned_away_total 1"])
    expect(await lines("emit_duration_seconds_count")).toEqual(["emit_duration_seconds_count 2"])
    expect(await lines("emit_duration_seconds_sum")).toEqual(["emit_duration_seconds_sum 0.002"])
  })

  test("of deliveries are counted and timed by handler", async () => {
    const { telemetry, lines } = measured()
    telemetry.tell("delivery.claimed", { worker: "w", count: 4, durationMs: 1 })
    for (const outcome of ["done", "failed", "dead", "lost"] as const) {
      telemetry.tell("delivery.settled", { ...settled, outcome, waitMs: outcome === "lost" ? null : 20 })
    }
    telemetry.tell("delivery.lost", { ...about, handler: "h", attempt: 1 })
    expect(await lines("deliveries_claimed_total")).toEqual(["deliveries_claimed_total 4"])
    expect(await lines("deliveries_settled_total")).toHaveLength(4)
    expect(await lines("delivery_retries_total")).toEqual(['delivery_retries_total{handler="h"} 2'])
    expect(await lines("dead_letters_total")).toEqual(['dead_letters_total{handler="h"} 1'])
    expect(await lines("lease_losses_total")).toEqual([
      'lease_losses_total{handler="h",noticed_by="holder"} 1',
      'lease_losses_total{handler="h",noticed_by="successor"} 1',
    ])
    // Of a lost attempt nobody knows how long it took.
    expect(await lines("delivery_duration_seconds_count")).toEqual(['delivery_duration_seconds_count{handler="h"} 3'])
    expect(await lines("delivery_wait_seconds_sum")).toEqual(['delivery_wait_seconds_sum{handler="h"} 0.06'])
  })

  test("of trouble to come are zero from a handler's first attempt on", async () => {
    const { telemetry, lines } = measured()
    telemetry.tell("delivery.settled", settled)
    for (const name of ["delivery_retries_total", "dead_letters_total", "lease_losses_total"]) {
      expect(await lines(name)).toEqual(expect.arrayContaining([expect.stringMatching(/ 0$/)]))
    }
  })

  test("of the rest are counted", async () => {
    const { telemetry, lines } = measured()
    telemetry.tell("background.failed", { step: "claim", error: new Error("mine") })
    telemetry.tell("handler.condition_failed", { ...about, handler: "h", error: 1 })
    telemetry.tell("schedule.fired", { schedule: "nightly", slot: "2026-01-01T00:00:00Z", tenants: 2, durationMs: 1 })
    telemetry.tell("retention.batch", { tenant: "acme", signals: 500, durationMs: 1 })
    telemetry.tell("replay.progress", { tenant: "acme", replayId: "r", status: "running", signals: 1, deliveries: 1 })
    expect(await lines("background_failures_total")).toEqual(['background_failures_total{step="claim"} 1'])
    expect(await lines("conditions_failed_total")).toEqual(['conditions_failed_total{handler="h"} 1'])
    expect(await lines("schedules_fired_total")).toEqual(['schedules_fired_total{schedule="nightly"} 1'])
    expect(await lines("retention_signals_removed_total")).toEqual(["retention_signals_removed_total 500"])
  })

  test("of denied access are counted by what was wanted and why, and name nobody", async () => {
    const { telemetry, metrics, lines } = measured()
    const denied = {
      tenant: "acme",
      principalKind: "user",
      principalId: "mia",
      role: "member",
      resourceId: null,
    } as const
    telemetry.tell("access.denied", { ...denied, action: "members:remove", reason: "role" })
    telemetry.tell("access.denied", { ...denied, action: "members:remove", reason: "role", principalId: "max" })
    telemetry.tell("access.denied", { ...denied, action: "tenants:suspend", reason: "tenant" })
    expect(await lines("access_denied_total")).toEqual([
      'access_denied_total{action="members:remove",reason="role"} 2',
      'access_denied_total{action="tenants:suspend",reason="tenant"} 1',
    ])
    const text = await metrics.text()
    expect(["acme", "mia", "max"].filter((name) => text.includes(`"${name}"`))).toEqual([])
  })

  test("are not heard any more after close", async () => {
    const { telemetry, metrics, lines } = measured()
    metrics.close()
    telemetry.tell("delivery.claimed", { worker: "w", count: 4, durationMs: 1 })
    expect(telemetry.hearsSpans).toBe(false)
    expect(await lines("deliveries_claimed_total")).toEqual(["deliveries_claimed_total 0"])
  })
})

describe("labels", () => {
  test("name no tenant, unless asked to, and then of counters alone", async () => {
    const without = measured()
    const having = measured({ tenantLabel: true })
    for (const { telemetry } of [without, having]) {
      telemetry.tell("delivery.settled", settled)
      telemetry.tell("signal.emitted", emitted)
    }
    expect(await without.metrics.text()).not.toContain("acme")
    expect(await having.lines("deliveries_settled_total")).toEqual([
      'deliveries_settled_total{handler="h",tenant="acme",outcome="done"} 1',
    ])
    expect(await having.lines("deliveries_enqueued_total")).toEqual(['deliveries_enqueued_total{tenant="acme"} 3'])
    expect((await having.lines("delivery_duration_seconds_bucket")).join()).not.toContain("acme")
  })

  test("of statements are limited in number", async () => {
    const { telemetry, lines } = measured()
    for (let at = 0; at < 300; at++) await telemetry.span("statement", { statement: `s${at}` }, async () => {})
    await telemetry.span("claim", { worker: "w", lanes: 1 }, async () => {})
    const failing = telemetry.span("statement", { statement: "s1" }, () => Promise.reject(new Error("mine")))
    await expect(failing).rejects.toThrow("mine")
    const counts = await lines("statement_duration_seconds_count")
    expect(counts).toHaveLength(201)
    expect(counts).toContain('statement_duration_seconds_count{statement="other"} 100')
    expect(await lines("statement_errors_total")).toEqual(['statement_errors_total{statement="s1"} 1'])
  })
})

test("buckets can be chosen", async () => {
  const { lines } = measured({ buckets: { emit_duration_seconds: [1, 2] } })
  expect(await lines("emit_duration_seconds_bucket")).toHaveLength(3)
})

test("the process's own metrics are there when asked for", async () => {
  expect(await measured().metrics.text()).not.toContain("process_cpu")
  expect(await measured({ processMetrics: true }).metrics.text()).toContain("process_cpu_seconds_total")
})

describe("gauges", () => {
  test("are what the fleet says of itself", async () => {
    const { lines } = measured()
    expect(await lines("queue_depth")).toEqual([
      'queue_depth{handler="h",state="due"} 3',
      'queue_depth{handler="h",state="scheduled"} 2',
      'queue_depth{handler="h",state="running"} 1',
    ])
    expect(await lines("queue_oldest_age_seconds")).toEqual(['queue_oldest_age_seconds{handler="h"} 1.5'])
    expect(await lines("pool_connections")).toEqual([
      'pool_connections{state="in_use"} 2',
      'pool_connections{state="idle"} 3',
    ])
    expect(await lines("pool_waiting")).toEqual(["pool_waiting 4"])
    expect(await lines("oldest_snapshot_age_seconds")).toEqual(["oldest_snapshot_age_seconds 2.5"])
    expect(await lines("oldest_snapshot_transactions")).toEqual(["oldest_snapshot_transactions 7"])
  })

  test("of a handler are there once it has run", async () => {
    const { telemetry, lines } = measured({}, async () => ({ ...stats, queue: [] }))
    telemetry.tell("delivery.settled", settled)
    expect(await lines("queue_oldest_age_seconds")).toEqual(['queue_oldest_age_seconds{handler="h"} 0'])
  })

  test("of a handler stay at zero when its queue is empty; what cannot be read is left out", async () => {
    const answers: FleetStats[] = [stats, { ...stats, queue: [], oldestSnapshot: null }]
    const { lines } = measured({ statsEveryMs: 0 }, async () => answers.shift() ?? expect.unreachable())
    await lines("queue_depth")
    const [depth, ...more] = await lines("queue_depth")
    expect([depth, more.length]).toEqual(['queue_depth{handler="h",state="due"} 0', 2])
    answers.push({ ...stats, queue: [], oldestSnapshot: null })
    expect(await lines("oldest_snapshot_age_seconds")).toEqual([])
  })

  test("are read once for scrapes at the same time, and not again until they are old", async () => {
    let reads = 0
    const read = async (): Promise<FleetStats> => {
      reads++
      return stats
    }
    const { metrics } = measured({ statsEveryMs: 60_000 }, read)
    await Promise.all([metrics.text(), metrics.text()])
    await metrics.text()
    expect(reads).toBe(1)
  })

  test("that cannot be read are left out and counted, and the rest is answered", async () => {
    let isBroken = false
    const read = async (): Promise<FleetStats> => {
      if (isBroken) throw new FleetPromptError("database_unreachable", "could not connect")
      return stats
    }
    const { lines } = measured({ statsEveryMs: 0 }, read)
    expect(await lines("queue_depth")).toHaveLength(3)
    isBroken = true
    expect(await lines("queue_depth")).toEqual([])
    expect(await lines("pool_waiting")).toEqual([])
    expect(await lines("stats_failures_total")).toEqual(["stats_failures_total 3"])
    isBroken = false
    expect(await lines("queue_depth")).toHaveLength(3)
  })

  test("that take too long do not keep a scrape waiting", async () => {
    let answer = (_: FleetStats): void => {}
    const slow = new Promise<FleetStats>((resolve) => (answer = resolve))
    onTestFinished(() => answer(stats))
    const { lines } = measured({ statsTimeoutMs: 5, statsEveryMs: 60_000 }, () => slow)
    expect(await lines("queue_depth")).toEqual([])
    expect(await lines("stats_failures_total")).toEqual(["stats_failures_total 2"])
    answer(stats)
    expect(await lines("queue_depth")).toHaveLength(3)
  })
})
