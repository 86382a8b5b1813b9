import type { Change, DeliveryRow } from "./evidence.ts"
import { NARROW_LIMIT, RATE } from "./handlers.ts"
import type { CarriedOut } from "./simulated-server.ts"
import type { Violation } from "./violation.ts"

/** The queue as it was at a moment, from the journal. */
type Queue = Map<string, DeliveryRow>

/** One row's change, with who made it. */
interface Move {
  readonly change: Change
  /** Undefined when the server's log has no statement of that moment. */
  readonly by: CarriedOut | undefined
  readonly queue: Queue
  /** What somebody has got and has not given back. */
  readonly held: Set<string>
  readonly versionOf: (worker: string) => number
}

/** Names a delivery in maps. */
export function keyOf({ tenant, signal_id: signalId, handler }: DeliveryRow): string {
  return `${tenant} ${signalId} ${handler}`
}

/** I5, I7, order and limits: each change of the queue was one that the rules allow at its moment. */
export function checkQueue(
  changes: readonly Change[],
  log: readonly CarriedOut[],
  versionOf: (worker: string) => number,
): readonly Violation[] {
  const statements = new Map(log.map((entry) => [entry.instant, entry]))
  const [queue, held] = [new Map<string, DeliveryRow>(), new Set<string>()]
  const begun: Change[] = []
  return changes.flatMap((change) => {
    const move = { change, by: statements.get(change.instant), queue, held, versionOf }
    const found = isClaim(change) ? [...checkClaim(move), ...checkRate(change, begun)] : checkOther(move)
    apply(move)
    return [...found, ...checkLimits(move)]
  })
}

function apply({ change, queue, held }: Move): void {
  const row = change.new ?? change.old
  if (!row) return
  const key = keyOf(row)
  if (isClaim(change)) held.add(key)
  else if (change.new?.lease_token !== change.old?.lease_token) held.delete(key)
  if (change.new) queue.set(key, change.new)
  else queue.delete(key)
}

/** Whether somebody got the delivery, by a claim or with the commit. One that is put off has the name of who lost it. */
export function isClaim({ old, new: row }: Change): boolean {
  if (row === null || row.leased_by === null || row.lease_token === old?.lease_token) return false
  return row.attempt >= (old?.attempt ?? 0)
}

function checkClaim({ change, by, queue, versionOf }: Move): readonly Violation[] {
  const { old, new: row, began } = change
  if (!row) return []
  const before = old ?? { attempt: 0, lease_token: 0, leased_by: null, leasedUntil: null }
  const rules: readonly (readonly [string, string, boolean])[] = [
    ["I7", "a claim did not count the attempt", row.attempt === before.attempt + 1],
    ["I5", "a claim did not change the token", row.lease_token === before.lease_token + 1],
    ["I5", `it was claimed while ${before.leased_by} held it`, (before.leasedUntil ?? 0) <= began],
    ["I5", "somebody claimed for another", by?.sender === row.leased_by],
    ["P8", "older code got it", row.version <= versionOf(row.leased_by ?? "")],
    ["M4", "it was claimed before an earlier one of its key was done", isFirst(row, queue)],
    ["debounce", "it was claimed although a later one of its key had come", isLast(row, queue)],
  ]
  return broken(rules, row)
}

function isFirst(row: DeliveryRow, queue: Queue): boolean {
  return row.handler !== "ordered" || ofKey(row, queue).every(({ position }) => position >= row.position)
}

function isLast(row: DeliveryRow, queue: Queue): boolean {
  return row.handler !== "debounced" || ofKey(row, queue).every(({ position }) => position <= row.position)
}

function ofKey({ tenant, handler, flow_key: key }: DeliveryRow, queue: Queue): readonly DeliveryRow[] {
  return [...queue.values()].filter(
    (other) => other.handler === handler && other.tenant === tenant && other.flow_key === key,
  )
}

/** Statements that only the holder of a delivery may change it with. */
const HOLDERS = new Set([
  "extendLeases",
  "completeDeliveries",
  // It books what goes along.
  "insertSignals",
  "settleDeliveries",
  "releaseDeliveries",
  "putOffDeliveries",
])

function checkOther({ change: { old, new: row, instant }, by, queue }: Move): readonly Violation[] {
  if (!old) return []
  const isHolders = by !== undefined && HOLDERS.has(by.name)
  const isFree = old.leased_by === null || (old.leasedUntil ?? 0) <= instant
  const isReturn =
    row !== null && old.leased_by !== null && (row.leased_by === null || row.lease_token !== old.lease_token)
  const rules: readonly (readonly [string, string, boolean])[] = [
    ["I5", `${by?.sender} ${by?.name} changed what ${old.leased_by} held`, !isHolders || by.sender === old.leased_by],
    ["I5", `${by?.name} took away what was held`, row !== null || isHolders || isFree],
    ["I5", "a return did not change the token", !isReturn || row.lease_token === old.lease_token + 1],
    ["I7", "a return counted wrongly", !isReturn || row.attempt === old.attempt || row.attempt === old.attempt - 1],
    ["debounce", "the last one of its key was superseded", by?.name !== "supersede" || !isLast(old, queue)],
  ]
  return broken(rules, old)
}

function checkRate(change: Change, begun: Change[]): readonly Violation[] {
  const row = change.new
  if (row?.handler !== "rated") return []
  begun.push(change)
  const within = begun.filter(
    ({ new: other, began }) => other?.tenant === row.tenant && began > change.began - RATE.perMs * 1000,
  )
  return broken([["rate", `${within.length} began within its period`, within.length <= RATE.limit]], row)
}

/** What is held counts, whether its handler runs yet or not. */
function checkLimits({ change: { new: row, instant }, queue, held }: Move): readonly Violation[] {
  if (!row || row.leased_by === null || !held.has(keyOf(row))) return []
  const ofHandler = [...held].flatMap((key) => {
    const other = queue.get(key)
    return other?.handler === row.handler && (other.leasedUntil ?? 0) > instant ? [other] : []
  })
  const ofTenant = ofHandler.filter(({ tenant }) => tenant === row.tenant)
  const ofOneKey = ofTenant.filter(({ flow_key: key }) => key === row.flow_key)
  const isKeyed = row.handler === "single" || row.handler === "ordered"
  const rules: readonly (readonly [string, string, boolean])[] = [
    [
      "concurrency",
      `${ofHandler.length} are held at once`,
      row.handler !== "narrow" || ofHandler.length <= NARROW_LIMIT,
    ],
    ["concurrency", `${ofTenant.length} are held of a tenant`, row.handler !== "single" || ofTenant.length <= 2],
    ["concurrency", `${ofOneKey.length} are held of a key`, !isKeyed || ofOneKey.length <= 1],
  ]
  return broken(rules, row)
}

function broken(
  rules: readonly (readonly [invariant: string, what: string, holds: boolean])[],
  { signal_id: id, handler, attempt, leased_by: by }: DeliveryRow,
): readonly Violation[] {
  return rules
    .filter(([, , holds]) => !holds)
    .map(([invariant, what]) => ({
      invariant,
      what: `${what}: ${handler} on ${id}, attempt ${attempt}, held by ${by}`,
      ids: [id],
    }))
}
