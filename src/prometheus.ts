/** The door for Prometheus: metrics of a fleet, as `/metrics` answers them. */
export {
  type MeasuredFleet,
  prometheusMetrics,
  type PrometheusMetrics,
  type PrometheusOptions,
} from "./telemetry/prometheus.ts"
export type { BucketOptions } from "./telemetry/instruments.ts"
