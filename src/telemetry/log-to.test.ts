import { pino } from "pino"
import { describe, expect, test } from "vitest"
import { FleetPromptError } from "../errors.ts"
import type { TelemetryEvents, TelemetryName } from "./events.ts"
import { logTo, type LogOptions } from "./log-to.ts"
import { Telemetry } from "./telemetry.ts"

const settled: TelemetryEvents["delivery.settled"] = {
  tenant: "acme",
  signalId: "0199d3a5-0000-7000-8000-000000000001",
  type: "lead.received",
  handler: "lead.qualify",
  handlerVersion: 1,
  correlationId: "0199d3a5-0000-7000-8000-000000000000",
  causationId: null,
  replayId: null,
  attempt: 1,
  outcome: "done",
  error: undefined,
  waitMs: 3,
  durationMs: 4.5,
}

/** Tells one event, and gives what pino wrote of it. */
function logged<Name extends TelemetryName>(
  name: Name,
  fields: TelemetryEvents[Name],
  options?: LogOptions,
): Readonly<Record<string, unknown>> | undefined {
  const lines: string[] = []
  const logger = pino({ level: "debug", base: null, timestamp: false }, { write: (line) => void lines.push(line) })
  const telemetry = new Telemetry()
  telemetry.listen(logTo(logger, options))
  telemetry.tell(name, fields)
  // What pino wrote is a line of JSON.
  return lines[0] === undefined ? undefined : (JSON.parse(lines[0]) as Readonly<Record<string, unknown>>)
}

const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 }

test("a line has the event, its fields and a message", () => {
  const { error: _, ...fields } = settled
  expect(logged("delivery.settled", settled)).toEqual({
    level: LEVELS.debug,
    event: "delivery.settled",
    ...fields,
    msg: "delivery done",
  })
})

test.each([
  ["done", LEVELS.debug],
  ["failed", LEVELS.warn],
  ["snoozed", LEVELS.info],
  ["cancelled", LEVELS.info],
  ["dead", LEVELS.error],
  ["lost", LEVELS.warn],
] as const)("a delivery that is %s has its level", (outcome, level) => {
  expect(logged("delivery.settled", { ...settled, outcome })).toMatchObject({ level, outcome })
})

describe("a refusal", () => {
  const refused = { tenant: "acme", type: "lead.received", durationMs: 1 }

  test.each([
    [new FleetPromptError("signal_invalid", "expected another"), LEVELS.warn],
    [new FleetPromptError("database_unreachable", "could not connect"), LEVELS.error],
    [new Error("what nobody thought of"), LEVELS.error],
    [Object.assign(new Error("a newer version's"), { name: "FleetPromptError", code: "not_yet_known" }), LEVELS.error],
  ])("with %s has a level by whose fault it is", (error, level) => {
    expect(logged("signal.refused", { ...refused, error })).toMatchObject({ level, error: { message: error.message } })
  })

  test("tells the errors beneath, and no secret", () => {
    const secret = ["ghp", "_", "a1B2".repeat(9)].join("")
    const cause = Object.assign(new Error(`refused ${secret}`), { code: "ECONNREFUSED" })
    const error = new FleetPromptError("database_unreachable", "could not connect", { cause })
    const line = logged("signal.refused", { ...refused, error })
    expect(line).toMatchObject({
      tenant: "acme",
      type: "lead.received",
      error: { code: "database_unreachable", cause: { code: "ECONNREFUSED" } },
    })
    expect(JSON.stringify(line)).not.toContain(secret.slice(0, 12))
  })
})

test.each<[TelemetryName, object, object]>([
  ["signal.emitted", { inserted: true }, { level: LEVELS.debug, msg: "signal emitted" }],
  ["signal.emitted", { inserted: false }, { level: LEVELS.debug, msg: "signal known already" }],
  ["emit.queue_full", { waiting: 3 }, { level: LEVELS.warn, waiting: 3 }],
  ["handler.condition_failed", { handler: "h", error: "plain" }, { level: LEVELS.error, error: { message: "plain" } }],
  ["delivery.claimed", { count: 2 }, { level: LEVELS.debug, count: 2 }],
  ["delivery.lost", { handler: "h" }, { level: LEVELS.warn, handler: "h" }],
  ["handler.late", { handler: "h" }, { level: LEVELS.warn, handler: "h" }],
  ["schedule.fired", { schedule: "nightly" }, { level: LEVELS.info, schedule: "nightly" }],
  ["tenant.migrated", { tenant: "acme" }, { level: LEVELS.info, tenant: "acme" }],
  ["tenant.migration_failed", { isQuarantined: false }, { level: LEVELS.warn }],
  ["tenant.migration_failed", { isQuarantined: true }, { level: LEVELS.error }],
  ["retention.batch", { signals: 9 }, { level: LEVELS.info, signals: 9 }],
  ["tenant.operation", { kind: "move", status: "failed" }, { level: LEVELS.error, msg: "move of a tenant failed" }],
  [
    "tenant.operation",
    { kind: "move", status: "running", step: "copy", done: 0 },
    { level: LEVELS.info, msg: "move running: copy" },
  ],
  ["replay.progress", { status: "paused" }, { level: LEVELS.info, msg: "replay paused" }],
  ["background.failed", { step: "claim" }, { level: LEVELS.warn, msg: "claim failed, it will be tried again" }],
  [
    "database.risk",
    { setting: "fsync", value: "off", risk: "much" },
    { level: LEVELS.warn, msg: "the database has fsync = off: much" },
  ],
  [
    "access.denied",
    { action: "api_keys:create", reason: "role" },
    { level: LEVELS.warn, msg: "api_keys:create denied (role)" },
  ],
  ["audit.broken", { tenant: "acme", error: "plain" }, { level: LEVELS.error, error: { message: "plain" } }],
  ["fleet.started", { worker: "w" }, { level: LEVELS.info, worker: "w" }],
  ["fleet.stopped", { worker: "w" }, { level: LEVELS.info, worker: "w" }],
])("%s %j is a line", (name, fields, line) => {
  // Only the fields that matter to the line.
  expect(logged(name, fields as TelemetryEvents[TelemetryName])).toMatchObject({ event: name, ...line })
})

test("levels can be chosen for each event", () => {
  const levels = { "delivery.settled": "info", "delivery.claimed": "silent" } as const
  expect(logged("delivery.settled", settled, { levels })).toMatchObject({ level: LEVELS.info })
  expect(logged("delivery.claimed", { worker: "w", count: 1, durationMs: 1 }, { levels })).toBeUndefined()
})
