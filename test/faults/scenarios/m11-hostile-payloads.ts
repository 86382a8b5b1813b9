import fc from "fast-check"
import { isFleetPromptError } from "../../../src/errors.ts"
import type { EmitResult } from "../../../src/emit/emit.ts"
import type { Fleet } from "../../../src/fleet.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { HOSTILE_ATTRIBUTES } from "../hostile-attributes.ts"
import { HOSTILE_PAYLOADS, type HostilePayload, sameJson } from "../hostile-payloads.ts"
import { expectHostileBodies, webhookOf } from "../hostile-bodies.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { noteStored } from "../ledger/note-stored.ts"
import type { RecordedEmit } from "../ledger/recorded-emit.ts"
import { defineScenario } from "../scenario.ts"

/** A way into the store, for one payload. */
interface Door {
  /** What a path begins with. */
  readonly root: string
  /** Answers the payload's first. */
  readonly emit: (fleet: Fleet, data: unknown) => Promise<readonly EmitResult[]>
}

const TYPE = "payload.sent"
/** What goes along where several are emitted at once. */
const BESIDE = "harmless"
const DOORS: readonly Door[] = [
  { root: "data", emit: async (fleet, data) => [await fleet.tenant("acme").emit(TYPE, data)] },
  {
    root: "[0].data",
    emit: (fleet, data) => fleet.tenant("acme").emitMany([data, BESIDE].map((each) => ({ type: TYPE, data: each }))),
  },
  {
    root: "data",
    emit: (fleet, data) => fleet.transaction(async (tx) => [await fleet.tenant("acme").emit(TYPE, data, { tx })]),
  },
]

/** M11: whatever is emitted, by whatever door, is refused with its place, or reads back equal. */
export const scenario = defineScenario({
  id: "M11",
  title: "hostile payloads",
  invariants: ["I1", "I3", "I4"],
  run: async (stage) => {
    const database = await stage.postgres()
    const handlers = { set: "hostile" }
    const fleet = await stage.fleet({ database, handlers, webhooks: [webhookOf("acme")] })
    await fleet.tenants.provision("acme")
    const ledger = await stage.ledger()
    const recorder = await stage.recorder(fleet)
    let refused = 0
    for (const payload of HOSTILE_PAYLOADS) {
      for (const door of DOORS) if (!(await expectEqualOrRefused(payload, door, fleet, database, ledger))) refused += 1
    }
    await stage.worker({ database, handlers })
    await expectSameFromHandlers(recorder, fleet, database)
    const attributes = await expectAttributes(fleet, ledger)
    const bodies = await expectHostileBodies(stage, fleet, "acme")
    const [random, seed] = [stage.sized(300, 20_000), Date.now() % 1_000_000]
    await emitRandom(recorder, random, seed)
    await fleet.drain()
    const figures = {
      payloads: HOSTILE_PAYLOADS.length,
      doors: DOORS.length + 1,
      refused,
      attributes,
      bodies,
      random,
      seed,
    }
    return { ...(await stage.check(scenario.invariants)), ...figures }
  },
})

/** Returns whether it was stored. The ledger has it only then: what is refused must not be there at all. */
async function expectEqualOrRefused(
  { name, make, refusedAt }: HostilePayload,
  { root, emit }: Door,
  fleet: Fleet,
  database: FaultPostgres,
  ledger: Ledger,
): Promise<boolean> {
  let results: readonly EmitResult[]
  try {
    results = await emit(fleet, make())
  } catch (error) {
    expectRefusal(name, error, refusedAt === undefined ? undefined : shortened(`${root}${refusedAt}`, root))
    return false
  }
  if (refusedAt !== undefined) throw new Error(`expected "${name}" to be refused at ${root}${refusedAt}, it was stored`)
  for (const [at, { signal }] of results.entries()) {
    const data = at === 0 ? make() : BESIDE
    await expectStored(name, signal.id, data, fleet, database)
    await noteStored(ledger, { tenant: "acme", type: TYPE, data }, signal.id)
  }
  return true
}

/** The path of what is too deep is cut, behind the place within a call. */
function shortened(path: string, root: string): string {
  const prefix = root.slice(0, root.length - "data".length)
  const rest = path.slice(prefix.length)
  return `${prefix}${rest.length <= 120 ? rest : `${rest.slice(0, 117)}...`}`
}

function expectRefusal(name: string, error: unknown, path: string | undefined): void {
  if (path !== undefined && isFleetPromptError(error) && error.path === path) return
  const got = isFleetPromptError(error) ? `${error.code} at ${error.path}` : String(error)
  throw new Error(`expected "${name}" to be ${path === undefined ? "stored" : `refused at ${path}`}, got ${got}`)
}

/** In the table, and by the product's own reading. */
async function expectStored(
  name: string,
  id: string,
  data: unknown,
  fleet: Fleet,
  { query }: Pick<FaultPostgres, "query">,
): Promise<void> {
  const [row] = await query<{ text: string }>("select data::text as text from org_acme.signals where id = $1", [id])
  const detail = await fleet.tenant("acme").signals.get(id, ["internal"])
  for (const read of [JSON.parse(row?.text ?? "null") as unknown, detail?.signal.data]) {
    if (!sameJson(read, data))
      throw new Error(`expected "${name}" to read back equal, got ${JSON.stringify(read).slice(0, 200)}`)
  }
}

/** A handler in another process emits the same payloads. */
async function expectSameFromHandlers({ emit }: RecordedEmit, fleet: Fleet, database: FaultPostgres): Promise<void> {
  for (const { name } of HOSTILE_PAYLOADS) await emit("acme", { type: "payload.asked", data: { name } })
  await fleet.drain()
  const rows = await database.query<{ name: string; outcome: string; message: string | null; id: string | null }>(
    `select asked.data ->> 'name' as name, attempt.outcome, attempt.error ->> 'message' as message, made.id
     from org_acme.signals as asked
     join org_acme.attempts as attempt on attempt.signal_id = asked.id
     left join org_acme.effects as effect on effect.cause_id = asked.id
     left join org_acme.signals as made on made.id = effect.effect_id
     where asked.type = 'payload.asked'`,
  )
  for (const { name, make, refusedAt } of HOSTILE_PAYLOADS) {
    const row = rows.find((each) => each.name === name)
    const expected = refusedAt === undefined ? "done" : `cancelled refused at ${shortened(`data${refusedAt}`, "data")}`
    const got = [row?.outcome, row?.message].filter((each) => each != null).join(" ")
    if (got !== expected) throw new Error(`expected a handler's "${name}" to be ${expected}, got ${got}`)
    if (refusedAt === undefined) await expectStored(name, row?.id ?? "", make(), fleet, database)
  }
}

/** Attributes of signals beside their data. Returns how many. */
async function expectAttributes(fleet: Fleet, ledger: Ledger): Promise<number> {
  for (const { name, type = TYPE, options, refusedAt } of HOSTILE_ATTRIBUTES) {
    const call = fleet.tenant("acme").emit(type, { name }, options)
    const came = await call.then(
      ({ signal }) => signal.id,
      (error: unknown) => expectRefusal(name, error, refusedAt),
    )
    if (came === undefined) continue
    if (refusedAt !== undefined) throw new Error(`expected "${name}" to be refused at ${refusedAt}, it was stored`)
    const detail = await fleet.tenant("acme").signals.get(came, ["internal"])
    await noteStored(ledger, { tenant: "acme", type, subject: options.subject, data: { name } }, came)
    const { dedupeKey, sourceEventId } = detail ?? {}
    const read: Readonly<Record<string, unknown>> = { ...detail?.signal, dedupeKey, sourceEventId }
    for (const [option, given] of Object.entries(options.extensions ?? options)) {
      if (!sameJson(read[option], given)) throw new Error(`expected ${option} of "${name}" to read back equal`)
    }
  }
  return HOSTILE_ATTRIBUTES.length
}

/** Texts of any characters but U+0000, of which the table has enough. */
const ANY_JSON = fc
  .jsonValue({ maxDepth: 5, stringUnit: "binary" })
  .map((value): unknown => JSON.parse(JSON.stringify(value)))
  .filter((value) => !JSON.stringify(value).includes("\\u0000"))

/** Any JSON reads back equal, which I1 finds out by its hash. */
async function emitRandom({ emitMany }: RecordedEmit, count: number, seed: number): Promise<void> {
  const values = fc.sample(ANY_JSON, { numRuns: count, seed })
  for (let at = 0; at < count; at += 100) {
    const requests = values
      .slice(at, at + 100)
      .map((value, n) => ({ type: "payload.random", data: { n: at + n, value } }))
    await emitMany("acme", requests)
  }
}
