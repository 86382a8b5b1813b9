import { expect, test } from "vitest"
import type { AttemptOutcome, TelemetryEvents } from "../telemetry/events.ts"
import { Telemetry } from "../telemetry/telemetry.ts"
import { countAttempts, logTrouble } from "./watch-fleet.ts"

function settled(outcome: AttemptOutcome): TelemetryEvents["delivery.settled"] {
  return {
    tenant: "acme",
    signalId: "01a2b3c4-0000-7000-8000-000000000000",
    type: "lead.received",
    handler: "triage.label",
    handlerVersion: 1,
    correlationId: null,
    causationId: null,
    replayId: null,
    attempt: 5,
    outcome,
    error: outcome === "done" ? null : new Error("no"),
    waitMs: 1,
    durationMs: 1,
  }
}

test("attempts are counted by outcome, anew after each look", () => {
  const telemetry = new Telemetry()
  const counts = countAttempts({ telemetry })
  expect(counts()).toBe("nothing to do")
  for (const outcome of ["done", "failed", "done"] as const) telemetry.tell("delivery.settled", settled(outcome))
  telemetry.tell("background.failed", { step: "claim", error: new Error("away") })
  expect(counts()).toBe("2 done, 1 failed")
  expect(counts()).toBe("nothing to do")
})

test("what goes wrong is printed, what goes well is not", () => {
  const telemetry = new Telemetry()
  const lines: string[] = []
  logTrouble({ telemetry }, { line: (text) => void lines.push(text), progress: () => {} })
  for (const outcome of ["done", "failed", "dead"] as const) telemetry.tell("delivery.settled", settled(outcome))
  telemetry.tell("background.failed", { step: "claim", error: new Error("away") })
  expect(lines).toEqual([
    "! triage.label gave up on 01a2b3c4-0000-7000-8000-000000000000 after 5 attempts: Error: no",
    "! claim failed, will be tried again: Error: away",
  ])
})
