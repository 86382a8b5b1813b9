import { collectDefaultMetrics, Registry } from "prom-client"
import { eventListener, type TelemetryListener } from "./events.ts"
import type { FleetStats } from "./fleet-stats.ts"
import { countEvents, timeStatements } from "./prometheus-events.ts"
import { StatsGauges } from "./prometheus-gauges.ts"
import { type BucketOptions, createInstruments } from "./instruments.ts"
import type { SpanListener } from "./spans.ts"

/** What is measured: a fleet. */
export interface MeasuredFleet {
  readonly telemetry: { listen(listener: TelemetryListener | SpanListener): () => void }
  /** Read for the gauges when somebody scrapes. */
  stats(): Promise<FleetStats>
}

/** How `prometheusMetrics` measures. */
export interface PrometheusOptions {
  /**
   * Upper bounds of the buckets of histograms, seconds, by the metric's name without `fleetprompt_`. Default: as
   * the reference tells.
   */
  readonly buckets?: BucketOptions
  /**
   * Whether counters have a label `tenant`. Each tenant then multiplies their lines: good for tens of
   * tenants, ruin for thousands. Histograms and gauges never have it. Default false.
   */
  readonly tenantLabel?: boolean
  /** Whether the process's own metrics are among them: memory, CPU, event loop, garbage collection. Default false. */
  readonly processMetrics?: boolean
  /**
   * How old the gauges may get before a scrape reads them anew, milliseconds. A read counts the whole queue, so
   * they may get twenty times as old as the last one took; with 0 each scrape reads. Default 5,000.
   */
  readonly statsEveryMs?: number
  /** How long a scrape waits for the gauges before it is answered without them, milliseconds. Default 2,000. */
  readonly statsTimeoutMs?: number
}

/** Metrics as Prometheus scrapes them. */
export interface PrometheusMetrics {
  /** The media type of `text`. */
  readonly contentType: string
  /** All metrics in the text format of Prometheus. Does not reject when the database cannot be read. */
  text(): Promise<string>
  /** Ends listening. */
  close(): void
}

/**
 * Counts and times what a fleet does from now on, in a registry of its own. Needs no running fleet: make
 * it before `start`, so that nothing is missed.
 *
 * @example
 * const fleet = createFleet({ handlers })
 * const metrics = prometheusMetrics(fleet)
 * await fleet.start()
 * console.log(await metrics.text())
 */
export function prometheusMetrics(fleet: MeasuredFleet, options: PrometheusOptions = {}): PrometheusMetrics {
  const {
    buckets = {},
    tenantLabel = false,
    processMetrics = false,
    statsEveryMs = 5_000,
    statsTimeoutMs = 2_000,
  } = options
  const registry = new Registry()
  const instruments = createInstruments(registry, buckets, tenantLabel)
  if (processMetrics) addProcessMetrics(registry)
  const gauges = new StatsGauges(instruments, () => fleet.stats(), { everyMs: statsEveryMs, timeoutMs: statsTimeoutMs })
  const ends = [
    fleet.telemetry.listen(countEvents(instruments, tenantLabel)),
    fleet.telemetry.listen(
      eventListener(({ name, fields }) => {
        if (name === "delivery.settled") gauges.know(fields.handler)
      }),
    ),
    fleet.telemetry.listen(timeStatements(instruments)),
  ]
  return {
    contentType: registry.contentType,
    text: async () => {
      await gauges.refresh()
      return registry.metrics()
    },
    close: () => {
      for (const end of ends) end()
    },
  }
}

/** Three of them are gauges that are named like counters, which Prometheus's own check refuses; others have their parts. */
function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  for (const { name } of registry.getMetricsAsArray()) {
    if (/^nodejs_active_\w+_total$/.test(name)) registry.removeSingleMetric(name)
  }
}
