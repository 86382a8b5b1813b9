/** One metric. Its name begins with `fleetprompt_`. */
interface MetricRow {
  readonly kind: "counter" | "gauge" | "histogram"
  readonly help: string
  readonly labels: readonly string[]
  /** Whether it has a label `tenant` when that is asked for. */
  readonly byTenant?: true
  /** Upper bounds of a histogram's buckets, seconds. */
  readonly buckets?: readonly number[]
}

/** Every metric by its name. `docs/reference/telemetry.md` has the same rows. */
export const metricTable = {
  signals_emitted_total: {
    kind: "counter",
    help: "Calls of emit that ended well; inserted is false for facts that the tenant had already.",
    labels: ["inserted"],
    byTenant: true,
  },
  emits_refused_total: {
    kind: "counter",
    help: "Calls of emit that threw, by error code.",
    labels: ["code"],
    byTenant: true,
  },
  emits_turned_away_total: {
    kind: "counter",
    help: "Calls of emit turned away because too many waited for the database.",
    labels: [],
    byTenant: true,
  },
  emit_duration_seconds: {
    kind: "histogram",
    help: "How long calls of emit took that ended well.",
    labels: [],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
  },
  conditions_failed_total: {
    kind: "counter",
    help: "Conditions of handlers that threw.",
    labels: ["handler"],
    byTenant: true,
  },
  deliveries_enqueued_total: {
    kind: "counter",
    help: "Deliveries made of emitted signals.",
    labels: [],
    byTenant: true,
  },
  deliveries_claimed_total: { kind: "counter", help: "Deliveries that this process took.", labels: [] },
  deliveries_settled_total: {
    kind: "counter",
    help: "Attempts that ended and were booked, by outcome: done, failed, snoozed, cancelled, dead, lost.",
    labels: ["handler", "outcome"],
    byTenant: true,
  },
  delivery_wait_seconds: {
    kind: "histogram",
    help: "How long deliveries were due before they were run.",
    labels: ["handler"],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600],
  },
  delivery_duration_seconds: {
    kind: "histogram",
    help: "How long attempts took.",
    labels: ["handler"],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
  },
  delivery_retries_total: {
    kind: "counter",
    help: "Attempts that failed or were lost and are followed by another.",
    labels: ["handler"],
    byTenant: true,
  },
  dead_letters_total: {
    kind: "counter",
    help: "Deliveries that were given up.",
    labels: ["handler"],
    byTenant: true,
  },
  handlers_late_total: {
    kind: "counter",
    help: "Handlers that ended after their timeout, whose result was dropped.",
    labels: ["handler"],
    byTenant: true,
  },
  lease_losses_total: {
    kind: "counter",
    help: "Leases that ended under an attempt, as its own worker noticed (holder) or the next one (successor).",
    labels: ["handler", "noticed_by"],
    byTenant: true,
  },
  queue_depth: {
    kind: "gauge",
    help: "Deliveries in the queue of all processes, by state: due, scheduled, running.",
    labels: ["handler", "state"],
  },
  queue_oldest_age_seconds: {
    kind: "gauge",
    help: "How long the oldest due delivery has been due; 0 when none is.",
    labels: ["handler"],
  },
  directives_requested_total: {
    kind: "counter",
    help: "Directives that were requested.",
    labels: ["type"],
    byTenant: true,
  },
  directives_ended_total: {
    kind: "counter",
    help: "Directives that this process ended, by outcome: completed, failed, cancelled.",
    labels: ["type", "outcome"],
    byTenant: true,
  },
  directive_attempts_failed_total: {
    kind: "counter",
    help: "Attempts at directives that failed and are followed by another.",
    labels: ["type"],
    byTenant: true,
  },
  directive_duration_seconds: {
    kind: "histogram",
    help: "How long directives took from their start to their end.",
    labels: ["type"],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600],
  },
  schedules_fired_total: { kind: "counter", help: "Slots of schedules that were fired.", labels: ["schedule"] },
  retention_signals_removed_total: {
    kind: "counter",
    help: "Signals that retention removed.",
    labels: [],
    byTenant: true,
  },
  access_denied_total: {
    kind: "counter",
    help: "Calls that were refused for want of a permission, by what was wanted and why.",
    labels: ["action", "reason"],
    byTenant: true,
  },
  background_failures_total: {
    kind: "counter",
    help: "Steps that run by themselves and failed, to be tried again.",
    labels: ["step"],
  },
  statement_duration_seconds: {
    kind: "histogram",
    help: "How long statements on the database took that ended well.",
    labels: ["statement"],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  },
  statement_errors_total: { kind: "counter", help: "Statements on the database that failed.", labels: ["statement"] },
  pool_connections: {
    kind: "gauge",
    help: "Connections to the database that are open, by state: in_use, idle.",
    labels: ["state"],
  },
  pool_waiting: { kind: "gauge", help: "Statements and transactions that wait for a connection.", labels: [] },
  oldest_snapshot_age_seconds: {
    kind: "gauge",
    help: "Age of the oldest transaction that keeps old versions of rows; 0 when there is none.",
    labels: [],
  },
  oldest_snapshot_transactions: {
    kind: "gauge",
    help: "Transactions begun since the oldest that is kept in sight, replication slots included.",
    labels: [],
  },
  stats_failures_total: { kind: "counter", help: "Reads of the gauges that failed or took too long.", labels: [] },
} as const satisfies Record<string, MetricRow>

/** The name of a metric, without `fleetprompt_`. */
export type MetricName = keyof typeof metricTable

/** The name of a histogram, without `fleetprompt_`. */
export type HistogramName = {
  [Name in MetricName]: (typeof metricTable)[Name]["kind"] extends "histogram" ? Name : never
}[MetricName]
