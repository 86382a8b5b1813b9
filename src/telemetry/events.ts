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
  /** A handler's condition threw while its delivery was made. */
  "handler.condition_failed": {
    readonly tenant: string
    readonly handler: string
    readonly signalId: string
    readonly error: unknown
  }
  /** A worker took deliveries. */
  "delivery.claimed": { readonly worker: string; readonly count: number; readonly durationMs: number }
  /** An attempt ended and was booked. */
  "delivery.settled": {
    readonly tenant: string
    readonly signalId: string
    readonly handler: string
    readonly correlationId: string | null
    readonly attempt: number
    readonly outcome: "done" | "failed" | "dead"
    readonly error: unknown
    readonly durationMs: number
  }
  /** An attempt ended, but another worker had taken the delivery over; its result was dropped. */
  "delivery.lost": {
    readonly tenant: string
    readonly signalId: string
    readonly handler: string
    readonly attempt: number
  }
  /** A step that runs by itself failed and will be tried again. */
  "background.failed": {
    readonly step: "claim" | "settle" | "release" | "heartbeat" | "announce" | "vacuum" | "listen"
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
