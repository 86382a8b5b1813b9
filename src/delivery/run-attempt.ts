import { FleetPromptError } from "../errors.ts"
import type { JsonValue } from "../signal/json.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { ClaimedDelivery, Settlement } from "../store/deliveries.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import { attemptError } from "./attempt-error.ts"
import { backoffMs } from "./backoff.ts"
import type { Handler, HandlerContext } from "./handler.ts"

/** Emits for a handler: the caller adds cause, correlation and dedupe key. */
export type EmitForHandler = (cause: StoredSignal, delivery: ClaimedDelivery) => HandlerContext["emit"]

/** One try of a delivery. */
export interface Attempt {
  readonly delivery: ClaimedDelivery
  readonly handler: Handler
  readonly signal: StoredSignal
  /** Aborted from outside when the lease is lost or the worker stops. */
  readonly abort: AbortController
  readonly emitFor: EmitForHandler
}

/** An attempt's result with the thrown value, for telemetry. */
export interface AttemptResult extends Settlement {
  readonly thrown: unknown
}

/** Runs a handler once. Never rejects: whatever happens is an outcome. */
export async function runAttempt(attempt: Attempt): Promise<AttemptResult> {
  const elapsed = stopwatch()
  const { delivery } = attempt
  try {
    await withTimeout(attempt)
    return { delivery, outcome: "done", durationMs: elapsed(), retryInMs: 0, error: null, thrown: undefined }
  } catch (thrown) {
    return failedAttempt(delivery, thrown, elapsed())
  }
}

/** The result of an attempt that threw: to be tried again, or dead when it was the last. */
export function failedAttempt(delivery: ClaimedDelivery, thrown: unknown, durationMs: number): AttemptResult {
  const outcome = delivery.attempt < delivery.maxAttempts ? "failed" : "dead"
  return { delivery, outcome, durationMs, retryInMs: backoffMs(delivery.attempt), error: attemptError(thrown), thrown }
}

/** Names the delivery, the same in each attempt. */
export function deliveryId({ signalId, handler }: Pick<ClaimedDelivery, "signalId" | "handler">): string {
  return `${signalId}:${handler}`
}

/** The handler's own promise goes on after a timeout, but nobody waits for it and its result is dropped. */
async function withTimeout(attempt: Attempt): Promise<void> {
  const { handler, abort } = attempt
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timedOut(handler)), handler.timeoutMs)
  })
  try {
    await Promise.race([invoke(attempt), timeout])
  } catch (error) {
    abort.abort(error)
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function invoke({ handler, signal, delivery, abort, emitFor }: Attempt): Promise<void> {
  // What the store holds passed normalise, so it is JSON.
  const json = signal as StoredSignal<JsonValue>
  if (handler.where && !handler.where(json)) return
  await handler.run({
    signal: json,
    tenant: signal.tenant,
    deliveryId: deliveryId(delivery),
    attempt: delivery.attempt,
    abort: abort.signal,
    emit: emitFor(signal, delivery),
  })
}

function timedOut(handler: Handler): FleetPromptError {
  return new FleetPromptError(
    "handler_timeout",
    `expected handler ${handler.name} to finish within ${handler.timeoutMs} ms, it did not; raise timeoutMs or split the work`,
  )
}
