import { isClaim } from "./check-queue.ts"
import type { AttemptRow, Change, Evidence } from "./evidence.ts"
import { groupBy } from "./group-by.ts"
import { ATTEMPTS } from "./handlers.ts"
import type { Invocation, Ledger } from "./ledger.ts"
import type { Violation } from "./violation.ts"

/** I5 and I7: what was noted is what the handler that held the delivery did, and each run has an attempt of its own. */
export function checkRuns({ attempts, changes }: Evidence, { invocations }: Ledger): readonly Violation[] {
  const runs = groupBy(invocations, nameOf)
  const moves = groupBy(changes, (change) => nameOfRow(change))
  return [
    ...attempts.flatMap((attempt) => checkNoted(attempt, runs.get(nameOf(attempt)) ?? [])),
    ...[...runs].flatMap(([name, own]) => checkInvocations(name, own, moves.get(name) ?? [])),
  ]
}

interface Named {
  readonly tenant: string
  readonly signalId: string
  readonly handler: string
}

function nameOf({ tenant, signalId, handler }: Named): string {
  return `${tenant} ${signalId} ${handler}`
}

function nameOfRow(change: Change): string {
  const row = change.new ?? change.old
  return `${row?.tenant} ${row?.signal_id} ${row?.handler}`
}

/** Whether an attempt ended without a handler: a later one of its key came, or those that had it went away. */
export function isWithoutRun({ error }: AttemptRow): boolean {
  return error?.name === "Superseded" || (error?.code === "worker_lost" && /went away/.test(error.message ?? ""))
}

const RESULTS: Readonly<Record<string, Invocation["result"]>> = {
  done: "done",
  failed: "threw",
  dead: "threw",
  snoozed: "snoozed",
  cancelled: "cancelled",
}

function checkNoted(attempt: AttemptRow, runs: readonly Invocation[]): readonly Violation[] {
  if (attempt.outcome === "lost" || isWithoutRun(attempt)) return []
  const finishedMs = attempt.finishedAt / 1000
  const isTrue = runs.some(
    (run) =>
      run.worker === attempt.worker &&
      run.attempt === attempt.attempt &&
      run.startedAt <= finishedMs &&
      (attempt.error?.code === "handler_timeout" ||
        (run.result === RESULTS[attempt.outcome] && run.endedAt !== undefined && run.endedAt <= finishedMs)),
  )
  if (isTrue) return []
  const { outcome, worker } = attempt
  const what = `${worker} noted ${outcome} for attempt ${attempt.attempt}, which it did not run to that end`
  return [{ invariant: "I5", what: `${what}: ${nameOf(attempt)}`, ids: [attempt.signalId] }]
}

function checkInvocations(name: string, runs: readonly Invocation[], moves: readonly Change[]): readonly Violation[] {
  return runs.flatMap((run, at) => {
    const found = (invariant: string, what: string): Violation => ({
      invariant,
      what: `${run.worker} ran ${name}, attempt ${run.attempt}, ${what}`,
      ids: [run.signalId],
    })
    const claim = moves.findLast((move) => isClaimOf(move, run))
    const earlier = runs.slice(0, at).filter(({ attempt }) => attempt === run.attempt)
    return [
      ...(run.attempt <= ATTEMPTS ? [] : [found("I7", "which is one too many")]),
      ...(claim ? [] : [found("I5", "without having claimed it")]),
      ...(earlier.every((other) => wasGivenBack(other, run, moves))
        ? []
        : [found("I7", "and the same attempt had been run before and was not given back")]),
    ]
  })
}

function isClaimOf(change: Change, { worker, attempt, startedAt }: Invocation): boolean {
  return (
    isClaim(change) &&
    change.new?.leased_by === worker &&
    change.new.attempt === attempt &&
    change.instant / 1000 <= startedAt
  )
}

/** A snooze or a worker that stops gives an attempt back, and a redrive or replay begins anew. */
function wasGivenBack(one: Invocation, other: Invocation, moves: readonly Change[]): boolean {
  return moves.some(({ old, new: row, instant }) => {
    const isBetween = instant / 1000 >= one.startedAt && instant / 1000 <= other.startedAt
    const isReturned = old !== null && row !== null && old.attempt === one.attempt && row.attempt === old.attempt - 1
    return isBetween && (isReturned || old === null)
  })
}
