import { isWithoutRun } from "./check-runs.ts"
import type { Evidence } from "./evidence.ts"
import { groupBy } from "./group-by.ts"
import type { Ledger, Told } from "./ledger.ts"
import type { Violation } from "./violation.ts"

/** I6: each outcome that was told is one that is noted, told once; and what was told to be lost is not noted. */
export function checkTold({ attempts }: Evidence, { told, invocations }: Ledger): readonly Violation[] {
  const noted = groupBy(attempts, (attempt) => outcomeOf(attempt))
  const settled = groupBy(
    told.filter(({ outcome }) => outcome !== undefined),
    (each) => outcomeOf({ ...each, outcome: each.outcome ?? "" }),
  )
  const tooOften = [...settled].flatMap(([name, events]) => {
    const rows = noted.get(name) ?? []
    return events.length <= rows.length
      ? []
      : [found(`told ${events.length} times, noted ${rows.length} times: ${name}`, events)]
  })
  const runs = groupBy(invocations, tryOf)
  const booked = groupBy(
    attempts.filter((attempt) => attempt.outcome !== "lost" && !isWithoutRun(attempt)),
    tryOf,
  )
  const lost = groupBy(
    told.filter(({ outcome }) => outcome === undefined),
    tryOf,
  )
  const notLost = [...lost].flatMap(([name, events]) => {
    const count = (booked.get(name) ?? []).length
    const most = (runs.get(name) ?? []).length - events.length
    return count <= Math.max(0, most) ? [] : [found(`told to be lost, and noted all the same: ${name}`, events)]
  })
  return [...tooOften, ...notLost]
}

interface Try {
  readonly worker: string
  readonly tenant: string
  readonly signalId: string
  readonly handler: string
  readonly attempt: number
}

function tryOf({ worker, tenant, signalId, handler, attempt }: Try): string {
  return `${worker} ${tenant} ${handler} on ${signalId}, attempt ${attempt}`
}

/** That an attempt was lost is told by who noticed it and noted for who had it. */
function outcomeOf(each: Try & { readonly outcome: string }): string {
  return `${each.outcome} ${tryOf(each.outcome === "lost" ? { ...each, worker: "somebody" } : each)}`
}

function found(what: string, events: readonly Told[]): Violation {
  return { invariant: "I6", what, ids: events.map(({ signalId }) => signalId) }
}
