import { errorTable } from "../errors.ts"
import type { LogFunction, SignalLogger } from "../signal/dispatch/adapter-logger.ts"
import {
  type AttemptOutcome,
  eventListener,
  type TelemetryEvent,
  type TelemetryListener,
  type TelemetryName,
} from "./events.ts"
import { describeThrown, knownCode } from "./thrown.ts"

/** How grave a line is. */
export type LogLevel = keyof SignalLogger

/** How `logTo` writes. */
export interface LogOptions {
  /** Levels of events instead of their own; `silent` writes none. Default: as the reference tells. */
  readonly levels?: Readonly<Partial<Record<TelemetryName, LogLevel | "silent">>>
}

/** A level and what the line says. */
interface Line {
  readonly level: LogLevel
  readonly message: string
}

/**
 * A listener that writes every event to a log: the event's fields, its name as `event`, and a message. A
 * signal's data is never among them. Of an error come name, message, code, stack and causes, cut to a
 * length and without what looks like a secret.
 *
 * @example
 * fleet.telemetry.listen(logTo(pino()))
 */
export function logTo(logger: SignalLogger, { levels = {} }: LogOptions = {}): TelemetryListener {
  return eventListener((event) => {
    const { level: usual, message } = lineOf(event)
    const level = levels[event.name] ?? usual
    if (level !== "silent") logger[level](fieldsOf(event), message)
  })
}

function fieldsOf({ name: event, fields }: TelemetryEvent): Parameters<LogFunction>[0] {
  if (!("error" in fields)) return { event, ...fields }
  const { error, ...rest } = fields
  return error == null ? { event, ...rest } : { event, ...rest, error: describeThrown(error) }
}

function lineOf({ name, fields }: TelemetryEvent): Line {
  switch (name) {
    case "signal.emitted":
      return { level: "debug", message: fields.inserted ? "signal emitted" : "signal known already" }
    case "signal.refused":
      return { level: refusalLevel(fields.error), message: "signal refused" }
    case "emit.queue_full":
      return { level: "warn", message: "signal turned away, too many wait for the database" }
    case "handler.condition_failed":
      return { level: "error", message: "a handler's condition threw" }
    case "delivery.claimed":
      return { level: "debug", message: "deliveries claimed" }
    case "delivery.settled":
      return settledLine(fields.outcome)
    case "delivery.lost":
      return { level: "warn", message: "delivery taken over by another worker, its result was dropped" }
    case "handler.late":
      return { level: "warn", message: "a handler ended after its timeout, its result was dropped" }
    case "schedule.fired":
      return { level: "info", message: "schedule fired" }
    case "tenant.migrated":
      return { level: "info", message: "a tenant's schema was migrated" }
    case "tenant.migration_failed":
      return fields.isQuarantined
        ? { level: "error", message: "a tenant's schema could not be migrated, it is in quarantine" }
        : { level: "warn", message: "a tenant's schema could not be migrated yet" }
    case "retention.batch":
      return { level: "info", message: "signals removed by retention" }
    case "replay.progress":
      return { level: "info", message: `replay ${fields.status}` }
    case "tenant.operation":
      return fields.status === "failed"
        ? { level: "error", message: `${fields.kind} of a tenant failed` }
        : {
            level: fields.done > 0 && fields.status === "running" ? "debug" : "info",
            message: `${fields.kind} ${fields.status}: ${fields.step}`,
          }
    case "directive.requested":
      return { level: "info", message: `directive ${fields.type} requested` }
    case "directive.started":
      return { level: "info", message: `directive ${fields.type} started` }
    case "directive.attempt_failed":
      return { level: "warn", message: `attempt at directive ${fields.type} failed, it will be tried again` }
    case "directive.completed":
      return { level: "info", message: `directive ${fields.type} completed` }
    case "directive.failed":
      return { level: "error", message: `directive ${fields.type} failed (${fields.errorKind})` }
    case "directive.cancelled":
      return { level: "info", message: `directive ${fields.type} cancelled (${fields.errorKind})` }
    case "background.failed":
      return { level: "warn", message: `${fields.step} failed, it will be tried again` }
    case "database.risk":
      return { level: "warn", message: `the database has ${fields.setting} = ${fields.value}: ${fields.risk}` }
    case "access.denied":
      return { level: "warn", message: `${fields.action} denied (${fields.reason})` }
    case "audit.broken":
      return { level: "error", message: "the audit log is not as it was left, its new entries wait" }
    case "fleet.started":
      return { level: "info", message: "fleet started" }
    case "fleet.stopped":
      return { level: "info", message: "fleet stopped" }
  }
}

function settledLine(outcome: AttemptOutcome): Line {
  switch (outcome) {
    case "done":
      return { level: "debug", message: "delivery done" }
    case "failed":
      return { level: "warn", message: "delivery failed, it will be tried again" }
    case "snoozed":
      return { level: "info", message: "delivery snoozed" }
    case "cancelled":
      return { level: "info", message: "delivery cancelled" }
    case "dead":
      return { level: "error", message: "delivery dead, it was given up" }
    case "lost":
      return { level: "warn", message: "delivery lost with its process" }
  }
}

/** What the caller did wrong is the caller's to log; what we or the database could not do is an error. */
function refusalLevel(error: unknown): LogLevel {
  const code = knownCode(error)
  return code !== undefined && errorTable[code].status < 500 ? "warn" : "error"
}
