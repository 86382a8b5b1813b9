import { Counter, Gauge, Histogram, type Registry } from "prom-client"
import { type HistogramName, type MetricName, metricTable } from "./metric-table.ts"

/** Upper bounds of the buckets of histograms, seconds, instead of their own. */
export type BucketOptions = Readonly<Partial<Record<HistogramName, readonly number[]>>>

interface Kinds {
  readonly counter: Counter
  readonly gauge: Gauge
  readonly histogram: Histogram
}

/** An instrument for each row of the table. */
export type Instruments = { readonly [Name in MetricName]: Kinds[(typeof metricTable)[Name]["kind"]] }

/** Makes the instruments of a registry. */
export function createInstruments(registry: Registry, bounds: BucketOptions, hasTenantLabel: boolean): Instruments {
  const made = Object.entries(metricTable).map(([key, row]) => {
    const tenant = hasTenantLabel && "byTenant" in row ? ["tenant"] : []
    const config = {
      name: `fleetprompt_${key}`,
      help: row.help,
      labelNames: [...row.labels, ...tenant],
      registers: [registry],
    }
    if (row.kind === "counter") return [key, new Counter(config)]
    if (row.kind === "gauge") return [key, new Gauge(config)]
    return [key, new Histogram({ ...config, buckets: [...(bounds[key as HistogramName] ?? row.buckets)] })]
  })
  // Each row became the instrument of its kind.
  return Object.fromEntries(made) as Instruments
}
