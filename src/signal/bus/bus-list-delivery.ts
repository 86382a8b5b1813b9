import { Attempt, follow, type PreparedDispatch, runAttempt } from "./bus-attempt.ts"
import { isFinalFailure, retryAtOf } from "./bus-failure.ts"
import type { Clock } from "../clock.ts"
import type { DispatchContext } from "../dispatch/dispatch-adapter.ts"
import { DispatchError } from "../dispatch/dispatch-error.ts"
import type { Signal } from "../signal.ts"

/** What serving a list needs. */
interface ListSettings {
  /** How many members are served at once. */
  readonly maxConcurrency: number
  readonly clock: Clock
}

/** How many failed targets a message names. */
const NAMED = 5

/** Tries every member, so many at once, and throws one error for all that failed. */
export function deliverToAll(
  members: readonly PreparedDispatch[],
  signal: Signal,
  context: DispatchContext,
  { maxConcurrency, clock }: ListSettings,
): void | Promise<void> {
  const failures: Failure[] = []
  let next = 0
  const lane = (): void | Promise<void> => {
    while (next < members.length) {
      const index = next++
      const pending = tryMember(members[index], index, signal, context, clock, failures)
      if (pending) return pending.then(lane)
    }
  }
  const lanes = Array.from({ length: maxConcurrency }, lane).filter((pending) => pending !== undefined)
  if (lanes.length > 0) return Promise.all(lanes).then(() => throwFailures(failures, members.length))
  throwFailures(failures, members.length)
}

interface Failure {
  readonly index: number
  readonly name: string
  readonly error: unknown
}

function tryMember(
  member: PreparedDispatch | undefined,
  index: number,
  signal: Signal,
  context: DispatchContext,
  clock: Clock,
  failures: Failure[],
): void | Promise<void> {
  if (!member) return
  const fail = (error: unknown) => void failures.push({ index, name: member.name, error })
  const attempt = new Attempt(context.attempt)
  try {
    const pending = runAttempt(member, signal, attempt, clock)
    if (!pending) return
    const unfollow = follow(context.abort, attempt)
    return pending.catch(fail).finally(unfollow)
  } catch (error) {
    fail(error)
  }
}

function throwFailures(failures: readonly Failure[], tried: number): void {
  if (failures.length === 0) return
  const ordered = failures.toSorted((a, b) => a.index - b.index)
  const errors = ordered.map(({ error }) => error)
  throw new DispatchError(
    errors.every(isFinalFailure) ? "dispatch_refused" : "dispatch_failed",
    `expected all of ${tried} targets to take the signal, but ${ordered.length} failed: ${namesOf(ordered)}; the cause has each error`,
    { cause: new AggregateError(errors), retryAtMs: latest(errors.map(retryAtOf)) },
  )
}

function namesOf(failures: readonly Failure[]): string {
  const names = failures.slice(0, NAMED).map(({ name }) => name)
  return failures.length > NAMED ? `${names.join(", ")} and others` : names.join(", ")
}

function latest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}
