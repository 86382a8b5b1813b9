import type { Evidence, SignalRow } from "./evidence.ts"
import { groupBy } from "./group-by.ts"
import type { Ledger } from "./ledger.ts"
import type { Violation } from "./violation.ts"

/** I9: who read a tenant's signals, through restarts, saw each once and in the order of the commits. */
export function checkReading({ signals }: Evidence, { seen }: Ledger, tenant: string): readonly Violation[] {
  const expected = signals.filter((signal) => signal.tenant === tenant).toSorted(byCommit)
  const at = expected.findIndex(({ id }, place) => seen[place]?.id !== id)
  if (at < 0 && seen.length === expected.length) return []
  const missing = expected[at]?.id ?? ""
  const what = `the reader of ${tenant} saw ${seen.length} of ${expected.length} signals; the one at ${at} is ${missing}, it saw ${seen[at]?.id}`
  return [{ invariant: "I9", what, ids: [missing] }]
}

function byCommit(one: SignalRow, other: SignalRow): number {
  return Number(BigInt(one.txId) - BigInt(other.txId)) || one.position - other.position
}

/** How far apart the slots of the schedule are. */
const SLOT_MS = 3_000

/** Each tenant got each slot of the schedule once, and none was left out. */
export function checkSchedule({ signals }: Evidence): readonly Violation[] {
  const ticks = groupBy(
    signals.filter(({ type }) => type === "tick.came"),
    ({ tenant }) => tenant,
  )
  const firsts = new Set([...ticks.values()].map((rows) => slotsOf(rows)[0]))
  return [
    ...(firsts.size <= 1 ? [] : [found("tenants got different first slots", [...ticks.values()].flat())]),
    ...[...ticks].flatMap(([tenant, rows]) => {
      const slots = slotsOf(rows)
      const isWhole = slots.every((slot, at) => at === 0 || slot - (slots[at - 1] ?? 0) === SLOT_MS)
      return isWhole ? [] : [found(`${tenant} got slots at ${slots.map((slot) => slot % 3_600_000).join(", ")}`, rows)]
    }),
  ]
}

function slotsOf(rows: readonly SignalRow[]): readonly number[] {
  return rows.map(({ data }) => Date.parse(String(data["slot"]))).toSorted((one, other) => one - other)
}

function found(what: string, rows: readonly SignalRow[]): Violation {
  return { invariant: "T4", what, ids: rows.map(({ id }) => id) }
}
