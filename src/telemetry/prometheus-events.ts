import { eventListener, type TelemetryEvents, type TelemetryListener } from "./events.ts"
import type { Instruments } from "./instruments.ts"
import type { SpanListener, TelemetrySpan } from "./spans.ts"
import { knownCode } from "./thrown.ts"

/** Labels besides an instrument's own: the tenant, where that is asked for. */
type LabelsOf = (tenant: string) => Readonly<Record<string, string>>

type EndedDirective = TelemetryEvents["directive.completed"]

/** Counts and times what the events tell. */
export function countEvents(to: Instruments, hasTenantLabel: boolean): TelemetryListener {
  const none = {}
  const labelsOf: LabelsOf = hasTenantLabel ? (tenant) => ({ tenant }) : () => none
  const settled = settledCounter(to, labelsOf)
  const directiveEnded = (outcome: string, { type, tenant, durationMs, attempt }: EndedDirective): void => {
    to.directives_ended_total.inc({ type, outcome, ...labelsOf(tenant) })
    if (attempt > 0) to.directive_duration_seconds.observe({ type }, durationMs / 1000)
  }
  return eventListener(({ name, fields }) => {
    switch (name) {
      case "signal.emitted":
        to.signals_emitted_total.inc({ inserted: String(fields.inserted), ...labelsOf(fields.tenant) })
        to.deliveries_enqueued_total.inc(labelsOf(fields.tenant), fields.deliveries)
        return to.emit_duration_seconds.observe(fields.durationMs / 1000)
      case "signal.refused":
        return to.emits_refused_total.inc({ code: knownCode(fields.error) ?? "other", ...labelsOf(fields.tenant) })
      case "emit.queue_full":
        return to.emits_turned_away_total.inc(labelsOf(fields.tenant))
      case "handler.condition_failed":
        return to.conditions_failed_total.inc({ handler: fields.handler, ...labelsOf(fields.tenant) })
      case "delivery.claimed":
        return to.deliveries_claimed_total.inc(fields.count)
      case "delivery.settled":
        return settled(fields)
      case "delivery.lost":
        return to.lease_losses_total.inc({ handler: fields.handler, noticed_by: "holder", ...labelsOf(fields.tenant) })
      case "handler.late":
        return to.handlers_late_total.inc({ handler: fields.handler, ...labelsOf(fields.tenant) })
      case "schedule.fired":
        return to.schedules_fired_total.inc({ schedule: fields.schedule })
      case "retention.batch":
        return to.retention_signals_removed_total.inc(labelsOf(fields.tenant), fields.signals)
      case "access.denied":
        return to.access_denied_total.inc({
          action: fields.action,
          reason: fields.reason,
          ...labelsOf(fields.tenant),
        })
      case "directive.requested":
        return to.directives_requested_total.inc({ type: fields.type, ...labelsOf(fields.tenant) })
      case "directive.attempt_failed":
        return to.directive_attempts_failed_total.inc({ type: fields.type, ...labelsOf(fields.tenant) })
      case "directive.completed":
        return directiveEnded("completed", fields)
      case "directive.failed":
        return directiveEnded("failed", fields)
      case "directive.cancelled":
        return directiveEnded("cancelled", fields)
      case "background.failed":
        return to.background_failures_total.inc({ step: fields.step })
      case "directive.started":
      case "replay.progress":
      case "database.risk":
      case "tenant.migrated":
      case "tenant.operation":
      case "tenant.migration_failed":
      case "audit.broken":
      case "fleet.started":
      case "fleet.stopped":
        return undefined
    }
  })
}

function settledCounter(to: Instruments, labelsOf: LabelsOf): (fields: TelemetryEvents["delivery.settled"]) => void {
  const known = new Map<string, Readonly<Record<string, string>>>()
  return ({ tenant, handler, outcome, durationMs, waitMs }) => {
    const of = labelsOf(tenant)
    // A handler's name has no space.
    const key = of["tenant"] === undefined ? handler : `${handler} ${tenant}`
    const labels = known.get(key) ?? beginAtZero(to, { handler, ...of })
    known.set(key, labels)
    to.deliveries_settled_total.inc({ ...labels, outcome })
    if (outcome === "failed" || outcome === "lost") to.delivery_retries_total.inc(labels)
    if (outcome === "dead") to.dead_letters_total.inc(labels)
    if (outcome === "lost") return to.lease_losses_total.inc({ ...labels, noticed_by: "successor" })
    to.delivery_duration_seconds.observe({ handler }, durationMs / 1000)
    if (waitMs !== null) to.delivery_wait_seconds.observe({ handler }, waitMs / 1000)
  }
}

/** A counter that appears at 1 has not increased in the eyes of Prometheus: the first of these would raise no alarm. */
function beginAtZero<Labels extends Readonly<Record<string, string>>>(to: Instruments, labels: Labels): Labels {
  to.delivery_retries_total.inc(labels, 0)
  to.dead_letters_total.inc(labels, 0)
  for (const noticed_by of ["holder", "successor"]) to.lease_losses_total.inc({ ...labels, noticed_by }, 0)
  return labels
}

/** Statements come from users too, through `fleet.transaction`, and each name is a label. */
const MAX_STATEMENTS = 200

/** Times the statements. */
export function timeStatements(to: Instruments): SpanListener {
  const known = new Set<string>()
  const labelOf = (span: TelemetrySpan): string | undefined => {
    if (span.name !== "statement") return undefined
    const { statement } = span.fields
    if (!known.has(statement) && known.size < MAX_STATEMENTS) known.add(statement)
    return known.has(statement) ? statement : "other"
  }
  return {
    steps: ["statement"],
    stop: (span, durationMs) => {
      const statement = labelOf(span)
      if (statement !== undefined) to.statement_duration_seconds.observe({ statement }, durationMs / 1000)
    },
    error: (span) => {
      const statement = labelOf(span)
      if (statement !== undefined) to.statement_errors_total.inc({ statement })
    },
  }
}
