import type { Telemetry } from "../telemetry/telemetry.ts"
import { type Attempt, type AttemptResult, runAttempt } from "./run-attempt.ts"

/** Runs a handler once, as a step of telemetry that belongs to the first delivery of the call. */
export function observedRun(attempt: Attempt, telemetry: Telemetry): Promise<readonly AttemptResult[]> {
  const run = (): Promise<readonly AttemptResult[]> => runAttempt(attempt)
  return telemetry.hearsSpans ? telemetry.span("run", fieldsOf(attempt), run, atStop) : run()
}

/** Tells of handlers that ended after their timeout. */
export function lateTeller(telemetry: Telemetry): (attempt: Attempt, lateMs: number) => void {
  return (attempt, lateMs) => {
    const { traceparent: _, ...fields } = fieldsOf(attempt)
    telemetry.tell("handler.late", { ...fields, lateMs })
  }
}

function fieldsOf({ handler, held: [{ delivery, signal }] }: Attempt) {
  const { metadata, type } = signal
  const traceparent = signal["traceparent"]
  return {
    tenant: delivery.tenant,
    signalId: delivery.signalId,
    type,
    handler: handler.name,
    attempt: delivery.attempt,
    correlationId: metadata.correlation_id,
    causationId: metadata.causation_id,
    traceparent: typeof traceparent === "string" ? traceparent : null,
  }
}

function atStop([first]: readonly AttemptResult[]): Partial<Pick<AttemptResult, "outcome" | "thrown">> {
  return first ? { outcome: first.outcome, thrown: first.thrown } : {}
}
