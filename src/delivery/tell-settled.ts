import type { Telemetry } from "../telemetry/telemetry.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { ClaimedDelivery } from "../store/deliveries.ts"
import type { AttemptResult } from "./run-attempt.ts"

/** Tells what came of an attempt. */
export function tellSettled(result: AttemptResult, isBooked: boolean, telemetry: Telemetry): void {
  const { delivery, signal, outcome, durationMs, thrown, version, isUnrun = false } = result
  const { tenant, signalId, handler, waitMs, replayId } = delivery
  const attempt = delivery.attempt - Number(isUnrun)
  const { type, metadata } = signal
  const correlationId = metadata.correlation_id
  const causationId = metadata.causation_id
  if (!isBooked) {
    telemetry.tell("delivery.lost", { tenant, signalId, type, handler, correlationId, causationId, attempt })
    return
  }
  telemetry.tell("delivery.settled", {
    tenant,
    signalId,
    type,
    handler,
    handlerVersion: version,
    correlationId,
    causationId,
    replayId,
    attempt,
    outcome,
    error: thrown,
    waitMs,
    durationMs,
  })
}

/** Tells that the worker of the attempt before this claim went away without a word. */
export function tellLost(delivery: ClaimedDelivery, { type, metadata }: StoredSignal, telemetry: Telemetry): void {
  const { tenant, signalId, handler, attempt, replayId } = delivery
  telemetry.tell("delivery.settled", {
    tenant,
    signalId,
    type,
    handler,
    replayId,
    correlationId: metadata.correlation_id,
    causationId: metadata.causation_id,
    handlerVersion: 0,
    waitMs: null,
    durationMs: 0,
    error: undefined,
    attempt: attempt - 1,
    outcome: "lost",
  })
}
