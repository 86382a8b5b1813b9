import { randomUUID } from "node:crypto"
import { setTimeout as passed } from "node:timers/promises"
import type { Fleet } from "../../../src/fleet.ts"
import { type ForeignSession, openForeignSession } from "../foreign-session.ts"
import { hashOf } from "../ledger/content.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { errorText } from "../ledger/recorded-emit.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** Callers of each of the two fleets, each with a transaction of its own. */
const CALLERS = 60
const LONGEST_MS = 300
const RESTLESS = "restless"
const TYPES = ["order.created", "order.paid", "invoice.made"]

/** D13: signals are committed in another order than that of their numbers while subscribers read. */
export const scenario = defineScenario({
  id: "D13",
  title: "concurrent emits with random transaction lengths while a subscriber tails",
  invariants: ["I1", "I3", "I9"],
  run: async (stage) => {
    const database = await stage.postgres()
    const reading = await stage.fleet({ database })
    await reading.tenants.provision("acme")
    const writing = [1, 2].map(() => stage.fleet({ database, maxConnections: CALLERS }))
    const ledger = await stage.ledger()
    for (const [name, pattern] of Object.entries({ all: "**", orders: "order.**" }))
      await stage.tail(reading, { name, tenant: "acme", pattern, pageSize: 100 })
    const over = new AbortController()
    const comesAndGoes = comeAndGo(stage, reading, over.signal)
    const naive = readByNumber(await openForeignSession(stage, database), over.signal)
    const calls = stage.sized(1_500, 10_000)
    await Promise.all((await Promise.all(writing)).map((fleet) => emitAll(fleet, ledger, calls / 2)))
    over.abort()
    const returns = await comesAndGoes
    const stored = await ledger.count("calls", "outcome = 'ok'")
    const hasCaughtUp = async (): Promise<boolean> =>
      (await ledger.count("seen", `subscriber = '${RESTLESS}'`)) >= stored
    // When it does not, the check tells what it missed.
    await until(hasCaughtUp, { withinMs: 60_000, what: "the restless subscriber catches up", everyMs: 200 }).catch(
      () => {},
    )
    const figures = await stage.check(scenario.invariants)
    const missedByNumber = await missed(await naive, database)
    // Else it was too easy.
    if (missedByNumber === 0) throw new Error("expected a reader by number to miss something, it missed nothing")
    return { ...figures, returns, missedByNumber, seen: await ledger.count("seen"), slowestMs: await slowestMs(ledger) }
  },
})

/** So many calls, of which many are under way at the same time. */
async function emitAll(fleet: Fleet, ledger: Ledger, calls: number): Promise<void> {
  let left = calls
  const caller = async (): Promise<void> => {
    while (left-- > 0) await emitOnce(fleet, ledger)
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
}

/** In a transaction that stays open for a while and is sometimes rolled back, or by itself. */
async function emitOnce(fleet: Fleet, ledger: Ledger): Promise<void> {
  const tenant = fleet.tenant("acme")
  const callId = randomUUID()
  const chance = Math.random()
  const type = TYPES[Math.floor(chance * 1_000) % TYPES.length] ?? ""
  const data = { callId, chance }
  await ledger.callBegins({ callId, tenant: "acme", type, key: null, hash: hashOf({ type, data }) })
  try {
    const { signal, inserted } = await (chance < 0.3
      ? tenant.emit(type, data)
      : fleet.transaction(async (tx) => {
          const result = await tenant.emit(type, data, { tx })
          await passed(Math.random() * LONGEST_MS)
          if (chance > 0.9) throw new Error("changed its mind")
          return result
        }))
    await ledger.callEnded(callId, { outcome: "ok", signalId: signal.id, inserted })
  } catch (error) {
    await ledger.callEnded(callId, { outcome: "failed", error: errorText(error) })
  }
}

/** A subscriber that leaves again and again, and goes on where it stood. Returns how often. */
async function comeAndGo(stage: Stage, fleet: Fleet, over: AbortSignal): Promise<number> {
  for (let returns = 0; ; returns++) {
    const tail = await stage.tail(fleet, { name: RESTLESS, tenant: "acme", pageSize: 50 })
    if (over.aborted) return returns
    await passed(Math.random() * 200)
    await tail.stop()
  }
}

/** Reads as one would who takes the order of the numbers for that of the commits. Returns the ids. */
async function readByNumber({ query }: ForeignSession, over: AbortSignal): Promise<ReadonlySet<string>> {
  const ids = new Set<string>()
  for (let last = "0"; !over.aborted; await passed(5)) {
    const rows = await query<{ id: string; position: string }>(
      "select id, position from org_acme.signals where position > $1 order by position",
      [last],
    )
    for (const { id } of rows) ids.add(id)
    last = rows.at(-1)?.position ?? last
  }
  return ids
}

/** Of what was there before the last number that it read, how much it never saw. */
async function missed(ids: ReadonlySet<string>, { query }: Pick<ForeignSession, "query">): Promise<number> {
  const rows = await query<{ id: string }>("select id from org_acme.signals order by position desc")
  const last = rows.findIndex(({ id }) => ids.has(id))
  return rows.slice(last).filter(({ id }) => !ids.has(id)).length
}

/** The longest time from the answer of a call to when the subscriber of everything saw its signal, milliseconds. */
async function slowestMs(ledger: Ledger): Promise<number> {
  const [row] = await ledger.query<{ ms: string | null }>(
    `select max(extract(epoch from seen_at - ended_at) * 1000)::int as ms
     from seen join calls on calls.signal_id = seen.signal_id where subscriber = 'all'`,
  )
  return Number(row?.ms)
}
