/** How an attempt ended. failed and snoozed are to be tried again, lost went away with its process, the others are final. */
export type AttemptOutcome = "done" | "failed" | "snoozed" | "cancelled" | "dead" | "lost"

/** A step that runs by itself. */
export type BackgroundStep =
  | "claim"
  | "settle"
  | "release"
  | "heartbeat"
  | "announce"
  | "vacuum"
  | "listen"
  | "flush"
  | "poll"
  | "schedule"
  | "retention"
  | "replay"
  | "migration"
  | "operation"
  | "audit"
  | "denials"
  | "access"
  | "limits"
  | "directive"
  | "bindings"
  | "cell"

/** Where a replay stands. */
export type ReplayStatus = "running" | "paused" | "completed" | "cancelled" | "failed"

/**
 * Everything FleetPrompt tells about its own work, by event name with its fields. Names are stable;
 * `docs/reference/telemetry.md` describes each. Durations are milliseconds.
 */
export interface TelemetryEvents {
  /** A call of emit ended well. */
  "signal.emitted": {
    readonly tenant: string
    readonly signalId: string
    readonly type: string
    readonly correlationId: string
    readonly causationId: string | null
    /** False: the tenant had this fact already. */
    readonly inserted: boolean
    readonly deliveries: number
    readonly durationMs: number
  }
  /** A call of emit threw. */
  "signal.refused": {
    readonly tenant: string
    readonly type: string
    readonly error: unknown
    readonly durationMs: number
  }
  /** A call of emit was turned away, since as many as may wait for the database were waiting. */
  "emit.queue_full": {
    readonly tenant: string
    /** How many signals were waiting. */
    readonly waiting: number
  }
  /** A handler's condition threw while its delivery was made. */
  "handler.condition_failed": {
    readonly tenant: string
    readonly signalId: string
    readonly type: string
    readonly handler: string
    readonly correlationId: string
    readonly causationId: string | null
    readonly error: unknown
  }
  /** A worker took deliveries. */
  "delivery.claimed": { readonly worker: string; readonly count: number; readonly durationMs: number }
  /** An attempt ended and was booked. */
  "delivery.settled": {
    readonly tenant: string
    readonly signalId: string
    /** Null when the signal itself is gone; correlation and cause are then unknown too. */
    readonly type: string | null
    readonly handler: string
    readonly handlerVersion: number
    readonly correlationId: string | null
    readonly causationId: string | null
    /** The replay that asked for it. */
    readonly replayId: string | null
    readonly attempt: number
    readonly outcome: AttemptOutcome
    readonly error: unknown
    /** From when it was due until it was run. Null when it was not run. */
    readonly waitMs: number | null
    readonly durationMs: number
  }
  /** An attempt ended, but another worker had taken the delivery over; its result was dropped. */
  "delivery.lost": {
    readonly tenant: string
    readonly signalId: string
    readonly type: string
    readonly handler: string
    readonly correlationId: string
    readonly causationId: string | null
    readonly attempt: number
  }
  /** A handler ended after it had been told to stop: its attempt was over, what it answered was dropped. */
  "handler.late": {
    readonly tenant: string
    readonly signalId: string
    readonly type: string
    readonly handler: string
    readonly correlationId: string
    readonly causationId: string | null
    readonly attempt: number
    /** From its timeout until it ended. */
    readonly lateMs: number
  }
  /** A schedule's slot came and its signals were emitted. */
  "schedule.fired": {
    readonly schedule: string
    /** The slot, RFC 3339. */
    readonly slot: string
    /** How many tenants got a signal. */
    readonly tenants: number
    readonly durationMs: number
  }
  /** The schema of a tenant was brought to another version. */
  "tenant.migrated": {
    /** Slug of the tenant; `*` for the schema that small tenants share. */
    readonly tenant: string
    readonly fromVersion: number
    readonly toVersion: number
    readonly attempt: number
    readonly durationMs: number
  }
  /** An attempt to migrate the schema of a tenant failed. */
  "tenant.migration_failed": {
    /** Slug of the tenant; `*` for the schema that small tenants share. */
    readonly tenant: string
    readonly fromVersion: number
    readonly toVersion: number
    readonly attempt: number
    readonly kind: "lock" | "database" | "statement" | "other"
    /** It was the last attempt: the tenant's deliveries are held back until somebody decides. */
    readonly isQuarantined: boolean
    readonly error: unknown
  }
  /** Retention removed a batch of one tenant's signals. */
  "retention.batch": { readonly tenant: string; readonly signals: number; readonly durationMs: number }
  /** A replay got further, or its status changed. Both counts are since it began. */
  "replay.progress": {
    readonly tenant: string
    readonly replayId: string
    readonly status: ReplayStatus
    /** Signals looked at. */
    readonly signals: number
    /** Deliveries made of them. */
    readonly deliveries: number
  }
  /** Something that is done to a tenant got further, or ended. */
  "tenant.operation": {
    readonly tenant: string
    readonly operationId: string
    readonly kind: string
    readonly step: string
    readonly status: "waiting" | "running" | "completed" | "cancelled" | "failed"
    /** How far the step is, in rows or parts; 0 of 0 when it cannot be said. */
    readonly done: number
    readonly total: number
  }
  /** A directive was requested: stored, or in a caller's transaction on its way to be. */
  "directive.requested": {
    readonly tenant: string
    readonly directiveId: string
    readonly type: string
    readonly correlationId: string
    readonly causationId: string | null
  }
  /** A directive was taken up for the first time. */
  "directive.started": {
    readonly tenant: string
    readonly directiveId: string
    readonly type: string
    readonly correlationId: string
    readonly causationId: string | null
    readonly attempt: number
  }
  /** An attempt at a directive failed and will be followed by another. */
  "directive.attempt_failed": {
    readonly tenant: string
    readonly directiveId: string
    readonly type: string
    readonly correlationId: string
    readonly causationId: string | null
    readonly attempt: number
    readonly retryInMs: number
    readonly error: unknown
  }
  /** A directive did what was asked. */
  "directive.completed": {
    readonly tenant: string
    readonly directiveId: string
    readonly type: string
    readonly correlationId: string
    readonly causationId: string | null
    readonly attempt: number
    /** From the start of its first attempt to its end; 0 when it never began. */
    readonly durationMs: number
  }
  /** A directive failed for good, and what it had done was undone. */
  "directive.failed": {
    readonly tenant: string
    readonly directiveId: string
    readonly type: string
    readonly correlationId: string
    readonly causationId: string | null
    readonly attempt: number
    /** From the start of its first attempt to its end; 0 when it never began. */
    readonly durationMs: number
    readonly errorKind: string
    readonly error: unknown
  }
  /** A directive was cancelled, was rejected or has expired. */
  "directive.cancelled": {
    readonly tenant: string
    readonly directiveId: string
    readonly type: string
    readonly correlationId: string
    readonly causationId: string | null
    /** 0: it never began. */
    readonly attempt: number
    /** From the start of its first attempt to its end; 0 when it never began. */
    readonly durationMs: number
    readonly errorKind: string
  }
  /** A step that runs by itself failed and will be tried again. */
  "background.failed": { readonly step: BackgroundStep; readonly error: unknown }
  /** A setting of the database server breaks a promise; told at the start. */
  "database.risk": { readonly setting: string; readonly value: string; readonly risk: string }
  /** A caller was refused what its role, scopes or tenant do not allow. */
  "access.denied": {
    /** The caller's tenant; `*` for one who has chosen none. */
    readonly tenant: string
    readonly principalKind: "user" | "api_key" | "service_account" | "operator" | "host"
    readonly principalId: string
    readonly role: string
    /** What was wanted: `api_keys:create`. */
    readonly action: string
    readonly resourceId: string | null
    /** tenant: another tenant's; no_tenant: none was chosen; role, scope, people: see the policies; rank: more than the caller has was to be given. */
    readonly reason: "tenant" | "no_tenant" | "role" | "people" | "scope" | "rank"
  }
  /** Entries wait, because an audit log is not as it was left: somebody has to look. */
  "audit.broken": {
    /** Slug of the tenant; `*` for the platform's own log. */
    readonly tenant: string
    /** How long the oldest entry has waited. */
    readonly waitedMs: number
    readonly error: unknown
  }
  /** The fleet began to work. */
  "fleet.started": { readonly worker: string; readonly database: "embedded" | "server" }
  /** The fleet ended its work. */
  "fleet.stopped": { readonly worker: string; readonly released: number }
}

/** The name of an event. */
export type TelemetryName = keyof TelemetryEvents

/** Is told every event. It must not throw. */
export type TelemetryListener = <Name extends TelemetryName>(name: Name, fields: TelemetryEvents[Name]) => void

/** One event: its name decides which fields it has. */
export type TelemetryEvent = {
  [Name in TelemetryName]: { readonly name: Name; readonly fields: TelemetryEvents[Name] }
}[TelemetryName]

/**
 * A listener that gets name and fields as one value, so that a switch over the name knows the fields.
 *
 * @example
 * fleet.telemetry.listen(eventListener((event) => {
 *   if (event.name === "delivery.settled") console.log(event.fields.outcome)
 * }))
 */
export function eventListener(hear: (event: TelemetryEvent) => void): TelemetryListener {
  // A name comes with the fields of that name.
  return (name, fields) => hear({ name, fields } as TelemetryEvent)
}
