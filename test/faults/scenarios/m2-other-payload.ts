import { isFleetPromptError } from "../../../src/errors.ts"
import type { Fleet } from "../../../src/fleet.ts"
import type { RecordedEmit } from "../ledger/recorded-emit.ts"
import { defineScenario } from "../scenario.ts"

const CALLERS = 40
/** What callers of one round say under its key: one of these is stored, whoever says the other is refused. */
const ANSWERS = ["yes", "no"] as const

/** M2: callers in two processes' fleets say two different facts under one key at the same time, by every door. */
export const scenario = defineScenario({
  id: "M2",
  title: "same key, other payload",
  invariants: ["I1", "I2", "I3", "I4"],
  run: async (stage) => {
    const database = await stage.postgres()
    const fleets = [await stage.fleet({ database }), await stage.fleet({ database })] as const
    const [fleet] = fleets
    await fleet.tenants.provision("acme")
    const recorders = [await stage.recorder(fleets[0]), await stage.recorder(fleets[1])] as const
    const rounds = stage.sized(10, 200)
    let conflicts = 0
    for (let round = 0; round < rounds; round++) conflicts += await sayBoth(recorders, round)
    const [recorder] = recorders
    await expectNoneOfMany(fleet, recorder)
    await expectUsableTransaction(fleet, recorder)
    await expectProvidersKey(recorder)
    await expectFirstWhereAskedFor(fleet)
    await stage.worker({ database })
    await fleet.drain()
    return { ...(await stage.check(scenario.invariants)), conflicts }
  },
})

/** Returns how many calls were refused. */
async function sayBoth(recorders: readonly [RecordedEmit, RecordedEmit], round: number): Promise<number> {
  const key = `round-${round}`
  const calls = Array.from({ length: CALLERS }, async (_, n) => {
    const answer = ANSWERS[n % 2]
    const request = { type: "order.answered", data: { round, answer }, options: { dedupeKey: key } }
    const recorder = recorders[n % 4 < 2 ? 0 : 1]
    return recorder.emit("acme", request).then(
      ({ signal, inserted }) => ({ answer, id: signal.id, stored: signal.data, inserted, error: undefined }),
      (error: unknown) => ({ answer, id: undefined, stored: undefined, inserted: false, error }),
    )
  })
  const results = await Promise.all(calls)
  const first = results.filter(({ inserted }) => inserted)
  const [winner] = first
  if (first.length !== 1 || !winner) throw new Error(`expected one call of ${key} to be stored, got ${first.length}`)
  for (const { answer, id, stored, error } of results) {
    if (answer !== winner.answer) expectConflict(error, { path: "dedupeKey", names: [key, winner.id] })
    else if (id !== winner.id || JSON.stringify(stored) !== JSON.stringify(winner.stored))
      throw new Error(`expected ${key} to be answered with ${winner.id}, got ${id}: ${String(error)}`)
  }
  return results.filter(({ error }) => error !== undefined).length
}

/** The error names the key, by its place and in its text. */
function expectConflict(
  error: unknown,
  { path, names }: { readonly path: string; readonly names: readonly unknown[] },
): void {
  const fits = isFleetPromptError(error) && error.code === "idempotency_conflict" && error.path === path
  if (fits && names.every((name) => error.message.includes(String(name)))) return
  throw new Error(`expected a conflict at ${path} that names ${names.join(", ")}, got ${String(error)}`)
}

async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** Of several signals in one call, none is stored when one is refused. */
async function expectNoneOfMany(fleet: Fleet, { emitMany }: RecordedEmit): Promise<void> {
  const before = await fleet.tenant("acme").counts()
  const fact = (key: string) => ({ type: "order.answered", data: { says: "perhaps" }, options: { dedupeKey: key } })
  const error = await errorOf(emitMany("acme", [fact("new-1"), fact("round-0"), fact("new-2")]))
  expectConflict(error, { path: "[1].dedupeKey", names: ["round-0", "signal 1"] })
  const { signals } = await fleet.tenant("acme").counts()
  if (signals !== before.signals)
    throw new Error(`expected a refused call to store nothing, got ${signals - before.signals}`)
}

/** A caller's own transaction can go on and commit what it did besides. */
async function expectUsableTransaction(fleet: Fleet, { emit }: RecordedEmit): Promise<void> {
  const other = { type: "order.created", data: { from: "a transaction" } }
  await fleet.transaction(async (tx) => {
    const options = { dedupeKey: "round-0", tx }
    const error = await errorOf(emit("acme", { type: "order.answered", data: { says: "else" }, options }))
    expectConflict(error, { path: "dedupeKey", names: ["round-0"] })
    await emit("acme", { ...other, options: { tx } })
  })
}

/** The same by the provider's id of an event. */
async function expectProvidersKey({ emit }: RecordedEmit): Promise<void> {
  const options = { source: "/provider", sourceEventId: "event-1" }
  const { signal } = await emit("acme", { type: "order.created", data: { n: 1, m: 2 }, options })
  const same = await emit("acme", { type: "order.created", data: { m: 2, n: 1 }, options })
  if (same.inserted || same.signal.id !== signal.id)
    throw new Error("expected the same fact in another order to be the same")
  const error = await errorOf(emit("acme", { type: "order.created", data: { n: 1, m: 3 }, options }))
  expectConflict(error, { path: "sourceEventId", names: ["event-1", signal.id] })
}

/** Who asks for it gets the first fact, and is told that it is another call's. */
async function expectFirstWhereAskedFor(fleet: Fleet): Promise<void> {
  const options = { dedupeKey: "round-0", onConflict: "existing" } as const
  const { signal, inserted } = await fleet.tenant("acme").emit("order.answered", { says: "else" }, options)
  if (inserted || "says" in signal.data) throw new Error("expected the first fact, as it was asked for")
}
