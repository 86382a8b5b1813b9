import { isDeepStrictEqual } from "node:util"
import type { Evidence, SignalRow } from "./evidence.ts"
import { groupBy } from "./group-by.ts"
import type { EmitCall, Item, Ledger } from "./ledger.ts"
import type { Violation } from "./violation.ts"

/** Signals as they are looked up. */
interface Stored {
  readonly byId: ReadonlyMap<string, SignalRow>
  readonly byFact: ReadonlyMap<number, readonly SignalRow[]>
  readonly byKey: ReadonlyMap<string, readonly SignalRow[]>
}

/** I1 and I2: what was acknowledged is stored as it was sent, nothing else is, and no key has two facts. */
export function checkFacts({ signals }: Evidence, ledger: Ledger): readonly Violation[] {
  const stored: Stored = {
    byId: new Map(signals.map((signal) => [signal.id, signal])),
    byFact: groupBy(signals.filter(isTold), ({ data }) => Number(data["fact"])),
    byKey: groupBy(
      signals.filter(({ dedupeKey }) => dedupeKey !== null),
      ({ tenant, dedupeKey }) => `${tenant} ${dedupeKey}`,
    ),
  }
  const items = ledger.calls.flatMap((call) => call.items.map((item) => ({ call, item })))
  const told = groupBy(items, ({ item }) => item.data.fact)
  return [
    ...signals.filter(isTold).flatMap((signal) => checkStored(signal, told.get(Number(signal.data["fact"])) ?? [])),
    ...twice(stored),
    ...ledger.calls.flatMap((call) => checkCall(call, stored)),
    ...ledger.calls.flatMap((call) => checkUnanswered(call, stored, (fact) => (told.get(fact) ?? []).length === 1)),
    ...insertedTwice(ledger),
  ]
}

/** Whether the script emitted it, and not a handler or a schedule. */
function isTold({ source }: SignalRow): boolean {
  return source === "app"
}

function checkStored(
  signal: SignalRow,
  told: readonly { readonly call: EmitCall; readonly item: Item }[],
): readonly Violation[] {
  if (told.some(({ call, item }) => call.tenant === signal.tenant && isEqual(signal, item))) return []
  return [violation("I1", "nobody emitted what is stored", signal.id)]
}

function isEqual(signal: SignalRow, { type, subject, data, dedupeKey }: Item): boolean {
  return (
    signal.type === type &&
    signal.subject === subject &&
    signal.dedupeKey === (dedupeKey ?? null) &&
    isDeepStrictEqual(signal.data, data)
  )
}

function twice({ byFact, byKey }: Stored): readonly Violation[] {
  const facts = [...byFact].filter(([, rows]) => rows.length > 1)
  const keys = [...byKey].filter(([, rows]) => rows.length > 1)
  return [
    ...facts.map(([fact, rows]) => violation("I1", `fact ${fact} is stored ${rows.length} times`, ...idsOf(rows))),
    ...keys.map(([key, rows]) => violation("I2", `${key} has ${rows.length} facts`, ...idsOf(rows))),
  ]
}

function idsOf(rows: readonly SignalRow[]): readonly string[] {
  return rows.map(({ id }) => id)
}

/** What a call was answered must be so. */
function checkCall(call: EmitCall, { byId, byKey }: Stored): readonly Violation[] {
  if (call.outcome === "conflict") return checkConflict(call, byKey)
  if (call.outcome === "failed" && !MAY_FAIL.test(call.error))
    return [violation("I1", `call ${call.n} failed for no reason of the network: ${call.error}`)]
  if (call.outcome !== "stored") return []
  return call.items.flatMap((item, at) => {
    const answer = call.answers[at]
    const row = answer && byId.get(answer.id)
    if (!answer || !row || row.tenant !== call.tenant)
      return [violation("I1", `call ${call.n} was acknowledged with a signal that is not there`, answer?.id ?? "")]
    if (isEqual(row, item) || (item.onConflict === "existing" && !answer.inserted && row.dedupeKey === item.dedupeKey))
      return []
    return [violation("I1", `call ${call.n} was acknowledged with another signal than it sent`, row.id)]
  })
}

/** Errors of the simulated network and server, of a full queue, and of processes that stop. */
const MAY_FAIL = /simulated|vain|emits under way|running fleet|database is closed/

function checkConflict(call: EmitCall, byKey: Stored["byKey"]): readonly Violation[] {
  const isTrue = call.items.some((item) => {
    const rows = byKey.get(`${call.tenant} ${item.dedupeKey}`) ?? []
    return rows.some((row) => !isDeepStrictEqual(row.data, item.data))
  })
  return isTrue ? [] : [violation("I2", `call ${call.n} was refused for a key that nothing else has: ${call.error}`)]
}

/** What was taken back is not there, and of what nothing was heard all or nothing is. */
function checkUnanswered(call: EmitCall, { byFact }: Stored, isOwn: (fact: number) => boolean): readonly Violation[] {
  if (call.outcome === "stored") return []
  const own = call.items.filter(({ data }) => isOwn(data.fact))
  const there = own.filter(({ data }) => byFact.has(data.fact))
  if (there.length === 0) return []
  const ids = there.flatMap(({ data }) => idsOf(byFact.get(data.fact) ?? []))
  if (call.outcome === "rolled back" || call.outcome === "conflict")
    return [violation("I1", `call ${call.n} ended as ${call.outcome} and left signals behind`, ...ids)]
  if (there.length < own.length)
    return [violation("I1", `call ${call.n} left ${there.length} of ${own.length} signals behind`, ...ids)]
  return []
}

function insertedTwice(ledger: Ledger): readonly Violation[] {
  const inserted = ledger.calls.flatMap(({ outcome, answers }) =>
    outcome === "stored" ? answers.filter((answer) => answer.inserted) : [],
  )
  return [...groupBy(inserted, ({ id }) => id)]
    .filter(([, answers]) => answers.length > 1)
    .map(([id, answers]) => violation("I2", `${answers.length} callers were told that they stored it`, id))
}

function violation(invariant: string, what: string, ...ids: readonly string[]): Violation {
  return { invariant, what: `${what} ${ids.join(" ")}`.trim(), ids }
}
