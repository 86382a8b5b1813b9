import { FleetPromptError } from "../errors.ts"
import { RevealedSecrets } from "../guard/revealed.ts"
import type { JsonValue } from "../signal/json.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Settlement } from "../store/settlements.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import { describeThrown } from "../telemetry/thrown.ts"
import type { Handler } from "./handler-definition.ts"
import type { Held } from "./held.ts"
import { resultOf } from "./outcome.ts"
import { maskThrown } from "./mask-thrown.ts"
import { type CredentialsForHandler, type EmitForHandler, RunContext } from "./run-context.ts"

/** One call of a handler, for one delivery or a batch of them. */
export interface Attempt {
  readonly handler: Handler
  readonly held: readonly [Held, ...Held[]]
  readonly emitFor: EmitForHandler
  /** Default: there are none. */
  readonly credentialsFor?: CredentialsForHandler
  /** The handler ended so long after its timeout, milliseconds. */
  readonly onLate?: (attempt: Attempt, lateMs: number) => void
}

/** An attempt's result with the thrown value, for telemetry. */
export interface AttemptResult extends Settlement {
  readonly signal: StoredSignal
  /** The quoted schema of its tenant. */
  readonly schema: string
  readonly thrown: unknown
}

/** Runs a handler once. Never rejects: whatever happens is an outcome, the same for each delivery of a batch. */
export async function runAttempt(attempt: Attempt): Promise<readonly AttemptResult[]> {
  const { handler, held } = attempt
  const elapsed = stopwatch()
  const revealed = new RevealedSecrets()
  try {
    const wanted = held.filter(({ signal }) => isWanted(handler, signal))
    const returned = resultOf(await inTime(attempt, wanted, revealed))
    const durationMs = elapsed()
    if (returned?.kind === "snooze") {
      return held.map((each) => resultFor(each, handler, { outcome: "snoozed", durationMs, retryInMs: returned.ms }))
    }
    if (returned?.kind === "cancel") {
      const error = describeThrown({ name: "Cancelled", message: revealed.maskStart(returned.reason) })
      return held.map((each) => resultFor(each, handler, { outcome: "cancelled", durationMs, error }))
    }
    return held.map((each) => resultFor(each, handler, { outcome: "done", durationMs }))
  } catch (thrown) {
    const durationMs = elapsed()
    return held.map((each) => failedAttempt(each, handler, thrown, durationMs, revealed))
  } finally {
    revealed.end()
  }
}

function isWanted({ where }: Handler, signal: StoredSignal): boolean {
  // What the store holds passed normalise, so it is JSON.
  return !where || where(signal as StoredSignal<JsonValue>)
}

/**
 * The result of an attempt that threw: to be tried again, or dead when it was the last or the error says so. One
 * beyond the last was claimed to be given up, and was not run.
 */
export function failedAttempt(
  held: Held,
  handler: Handler,
  thrown: unknown,
  durationMs: number,
  revealed?: RevealedSecrets,
): AttemptResult {
  const { attempt } = held.delivery
  // The handler's own code sees what it threw; nobody else does.
  const told = maskThrown(thrown, revealed)
  const error = describeThrown(told)
  const isLast = attempt >= handler.attempts || !isWorthRetrying(handler, thrown)
  const isUnrun = attempt > handler.attempts
  if (isLast) return resultFor(held, handler, { outcome: "dead", durationMs, error, thrown: told, isUnrun })
  const retryInMs = handler.backoff(attempt, thrown)
  return resultFor(held, handler, { outcome: "failed", durationMs, retryInMs, error, thrown: told })
}

/** A question that throws is answered with yes. */
function isWorthRetrying(handler: Handler, thrown: unknown): boolean {
  try {
    return handler.isWorthRetrying(thrown)
  } catch {
    return true
  }
}

type Came = Pick<AttemptResult, "outcome" | "durationMs"> & Partial<AttemptResult>

function resultFor({ delivery, signal, schema }: Held, { version }: Handler, came: Came): AttemptResult {
  return { delivery, signal, schema, version, retryInMs: 0, error: null, thrown: undefined, ...came }
}

/** The handler's own promise goes on after a timeout, but nobody waits for it: its result is dropped, and counted. */
function inTime(attempt: Attempt, wanted: readonly Held[], revealed: RevealedSecrets): unknown {
  const { handler, held, emitFor, credentialsFor = noCredentials } = attempt
  const [first, ...others] = wanted
  if (!first) return undefined
  // What the store holds passed normalise, so it is JSON.
  const signals = [first.signal, ...others.map(({ signal }) => signal)] as [
    StoredSignal<JsonValue>,
    ...StoredSignal<JsonValue>[],
  ]
  const returned = handler.run(
    new RunContext(first.delivery, signals, held[0].abort, { emitFor, credentialsFor, revealed }),
  )
  if (!isThenable(returned)) return returned
  return new Promise((resolve, reject) => {
    let late: (() => number) | undefined
    const timer = setTimeout(() => {
      late = stopwatch()
      const error = timedOut(handler)
      for (const { abort } of held) abort.abort(error)
      reject(error)
    }, handler.timeoutMs)
    const settle = <Value>(end: (value: Value) => void, value: Value): void => {
      clearTimeout(timer)
      if (late) attempt.onLate?.(attempt, late())
      else end(value)
    }
    try {
      returned.then(
        (value) => settle(resolve, value),
        (error: unknown) => settle(reject, error),
      )
    } catch (error) {
      settle(reject, error)
    }
  })
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"
}

function noCredentials(): never {
  throw new FleetPromptError(
    "config_invalid",
    "expected a fleet that keeps credentials, this worker has none; run the handler in a fleet",
  )
}

function timedOut(handler: Handler): FleetPromptError {
  return new FleetPromptError(
    "handler_timeout",
    `expected handler ${handler.name} to finish within ${handler.timeoutMs} ms, it did not; raise timeoutMs or split the work`,
  )
}
