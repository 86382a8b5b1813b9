import fc from "fast-check"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import {
  closedGate,
  type Intercept,
  interceptDatabase,
  interceptStatements,
} from "../../test/support/intercepted-database.ts"
import { placements, tenantOf } from "../../test/support/tenant-rows.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import { FleetPromptError } from "../errors.ts"
import { newId } from "../signal/id.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import { Announcer } from "../store/announcer.ts"
import { claimDeliveries, type ClaimedDelivery } from "../store/deliveries.ts"
import type { NewDelivery } from "../store/insert-signals.ts"
import { Placements } from "../store/placements.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { Telemetry } from "../telemetry/telemetry.ts"
import type { HandOff } from "./hand-off.ts"
import { type Draft } from "./draft.ts"
import { Writer } from "./writer.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())
afterEach(async () => {
  vi.useRealTimers()
  await db.database.query("delete from fleetprompt.deliveries")
})

/** The connection broke: nobody knows whether the statement took effect. */
function away(): FleetPromptError {
  return new FleetPromptError("database_connection_lost", "the test cut the line")
}

/** An error as Postgres answers it. */
function sqlError(code: string): Error {
  return Object.assign(new Error(`told by the test: ${code}`), { code })
}

/** What becomes of the statements that store signals, one after the other; those beyond the list run. */
type Fate = "runs" | "lost before" | "lost after"

function fated(fates: readonly Fate[], onInsert: (values: readonly unknown[]) => void = () => {}): Intercept {
  let count = 0
  return async ({ name, values, run }) => {
    if (name !== "insertSignals") return run()
    onInsert(values)
    const fate = fates[count++] ?? "runs"
    if (fate === "lost before") throw away()
    const rows = await run()
    if (fate === "lost after") throw away()
    return rows
  }
}

/** A worker that takes what there is room for, and runs nothing. */
function idleWorker(room = Infinity) {
  const taken: ClaimedDelivery[] = []
  let reserved = 0
  const handOff: HandOff = {
    holder: { worker: "me", leaseMs: 60_000 },
    reserve: () => reserved < room && ++reserved > 0,
    take: (delivery) => {
      taken.push(delivery)
      reserved -= 1
    },
    along: () => undefined,
    cancel: () => void (reserved -= 1),
  }
  return { handOff, taken, reserved: () => reserved }
}

function writerOn(intercept: Intercept, handOff?: HandOff) {
  const telemetry = new Telemetry()
  const hot = interceptStatements(db.database.hot, intercept)
  const announcer = new Announcer({ database: db.database.hot, origin: "me", onOwn: () => {}, onError: () => {} })
  const known = new Placements(db.database)
  return { writer: new Writer({ hot, announcer, telemetry, handOff, placements: known }), telemetry }
}

const runs: Intercept = ({ run }) => run()

function draft(
  { slug }: TenantScope,
  more: Partial<StoredSignal> = {},
  deliveries: readonly NewDelivery[] = [],
): Draft {
  const id = newId()
  const signal: StoredSignal = {
    specversion: "1.0",
    id,
    type: "a.b",
    source: "app",
    time: new Date().toISOString(),
    data: {},
    tenant: slug,
    metadata: { schema_version: 1, correlation_id: id, causation_id: null },
    visibility: "internal",
    dedupeKey: null,
    sourceEventId: null,
    ...more,
  }
  return { signal, deliveries }
}

const delivery: NewDelivery = { handler: "mail.send", version: 1, priority: 0, delayMs: 0, flowKey: null }
/** The queue's column holds no such number. */
const badDelivery: NewDelivery = { ...delivery, priority: 40_000 }

async function idsOf({ slug, schema }: TenantScope): Promise<readonly string[]> {
  const rows = await db.database.query<{ id: string }>(`select id from ${schema}.signals where tenant = $1`, [slug])
  return rows.map(({ id }) => id).toSorted()
}

function idsIn(records: string): readonly string[] {
  // The first parameter of the statement holds the signals.
  return (JSON.parse(records) as readonly { readonly id: string }[]).map(({ id }) => id)
}

const idOf = ({ signal }: { readonly signal: StoredSignal }): string => signal.id

describe.each(placements)("answers that get lost, %s schema", (placement) => {
  test("after the commit: twenty calls give twenty facts, each stored and delivered once", async () => {
    const ran: string[] = []
    const handler = defineHandler({ name: "count", on: "**", run: ({ signal }) => void ran.push(signal.id) })
    const database = interceptDatabase(db.database, fated(["lost after", "lost after", "lost after"]))
    const { fleet } = await testFleet(database, { handlers: [handler] })
    const { slug } = await fleet.tenants.provision(testSlug("placed"), { placement })
    const tenant = fleet.tenant(slug)
    const results = await Promise.all(Array.from({ length: 20 }, (_, n) => tenant.emit("a.b", { n })))
    await fleet.drain()
    expect(results.map(({ inserted }) => inserted)).toEqual(Array.from({ length: 20 }, () => true))
    const ids = results.map(idOf).toSorted()
    expect(new Set(ids).size).toBe(20)
    expect(ran.toSorted()).toEqual(ids)
    expect(await tenant.counts()).toMatchObject({ signals: 20, done: 20, failed: 0, waiting: 0 })
  })

  test("before it: the same rows are sent again under the same ids", async () => {
    const scope = await tenantOf(db.database, placement)
    const sent: string[] = []
    const { writer, telemetry } = writerOn(
      fated(["lost before", "lost before", "lost before"], ([records]) => sent.push(String(records))),
    )
    const steps: unknown[] = []
    telemetry.listen((name, fields) => void (name === "background.failed" && steps.push(fields)))
    const drafts = [draft(scope), draft(scope)]
    const written = await Promise.all(drafts.map((each) => writer.write(scope, [each])))
    expect(written.flat()).toEqual(drafts.map(({ signal }) => ({ signal, inserted: true })))
    expect(sent).toHaveLength(4)
    expect(new Set(sent).size).toBe(1)
    expect(steps).toHaveLength(3)
    expect(steps[0]).toMatchObject({ step: "flush", error: { code: "database_connection_lost" } })
    expect(await idsOf(scope)).toEqual(drafts.map(idOf).toSorted())
  })

  test.each(["40P01", "40001", "57014", "55P03", "53300", "57P01"])("and SQLSTATE %s is tried again", async (code) => {
    const scope = await tenantOf(db.database, placement)
    let failures = 2
    const { writer } = writerOn(async ({ run }) => {
      if (failures-- > 0) throw sqlError(code)
      return run()
    })
    expect(await writer.write(scope, [draft(scope)])).toMatchObject([{ inserted: true }])
  })
})

test("whatever gets lost in whatever order: each emit that returned is one fact, delivered once", async () => {
  const ran: string[] = []
  const handler = defineHandler({ name: "count", on: "**", run: ({ signal }) => void ran.push(signal.id) })
  let intercept = runs
  const database = interceptDatabase(db.database, (statement) => intercept(statement))
  const { fleet, tenant } = await testFleet(database, { handlers: [handler] })
  const fates = fc.array(fc.constantFrom<Fate>("runs", "lost before", "lost after"), { maxLength: 4 })
  const keys = fc.array(fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }), { minLength: 1, maxLength: 12 })
  let round = 0
  await fc.assert(
    fc.asyncProperty(fates, keys, async (fate, calls) => {
      intercept = fated(fate)
      ran.length = 0
      round += 1
      const results = await Promise.all(
        calls.map((key) => tenant.emit("a.b", {}, key === undefined ? {} : { dedupeKey: `${round} ${key}` })),
      )
      await fleet.drain()
      const fresh = results.filter(({ inserted }) => inserted).map(idOf)
      const facts =
        calls.filter((key) => key === undefined).length + new Set(calls.filter((key) => key !== undefined)).size
      expect(fresh).toHaveLength(facts)
      expect(new Set(results.map(idOf)).size).toBe(facts)
      expect(ran.toSorted()).toEqual(fresh.toSorted())
    }),
    { numRuns: 25 },
  )
  expect(await tenant.counts()).toMatchObject({ failed: 0, dead: 0, waiting: 0 })
})

describe.each(placements)("calls that come together, %s schema", (placement) => {
  test("share statements, each call in one, and each caller hears of its own", async () => {
    const scope = await tenantOf(db.database, placement)
    const statements: (readonly string[])[] = []
    const { writer } = writerOn(fated([], ([records]) => statements.push(idsIn(String(records)))))
    const calls = [...Array.from({ length: 50 }, (_, n) => 1 + (n % 3)), 150, 60, 10, 700, 1].map((length) =>
      Array.from({ length }, () => draft(scope)),
    )
    const written = await Promise.all(calls.map((drafts) => writer.write(scope, drafts)))
    expect(written).toEqual(calls.map((drafts) => drafts.map(({ signal }) => ({ signal, inserted: true }))))
    expect(await idsOf(scope)).toEqual(calls.flat().map(idOf).toSorted())
    expect(statements.length).toBeLessThan(calls.length / 4)
    for (const drafts of calls) {
      const its = statements.filter((ids) => drafts.some((each) => ids.includes(idOf(each))))
      expect(its).toHaveLength(1)
      // No more than so many, unless one call brings them.
      expect(its[0]?.length === drafts.length || (its[0]?.length ?? 0) <= 200).toBe(true)
    }
  })

  test("a bad one harms no other", async () => {
    const scope = await tenantOf(db.database, placement)
    const { writer } = writerOn(runs)
    const calls = Array.from({ length: 10 }, (_, n) => draft(scope, {}, n === 4 ? [delivery, badDelivery] : [delivery]))
    const settled = await Promise.allSettled(calls.map((each) => writer.write(scope, [each])))
    expect(settled.map(({ status }) => status === "fulfilled")).toEqual(calls.map((_, n) => n !== 4))
    expect(settled[4]).toMatchObject({ reason: { code: "22003" } })
    const good = calls.filter((_, n) => n !== 4).map(idOf)
    expect(await idsOf(scope)).toEqual(good.toSorted())
    const rows = await db.database.query<{ id: string }>(
      "select signal_id as id from fleetprompt.deliveries where tenant = $1",
      [scope.slug],
    )
    expect(rows.map(({ id }) => id).toSorted()).toEqual(good.toSorted())
  })

  test("of several signals each is stored whole or not at all", async () => {
    const scope = await tenantOf(db.database, placement)
    const { writer } = writerOn(runs)
    const bad = [draft(scope), draft(scope, {}, [badDelivery]), draft(scope)]
    const good = [draft(scope), draft(scope)]
    const settled = await Promise.allSettled([writer.write(scope, bad), writer.write(scope, good)])
    expect(settled.map(({ status }) => status)).toEqual(["rejected", "fulfilled"])
    expect(await idsOf(scope)).toEqual(good.map(idOf).toSorted())
  })

  test("under one key are one fact: the first is stored, the others hear of it", async () => {
    const scope = await tenantOf(db.database, placement)
    const { writer } = writerOn(runs)
    const calls = Array.from({ length: 5 }, () => draft(scope, { dedupeKey: "k" }, [delivery]))
    const written = (await Promise.all(calls.map((each) => writer.write(scope, [each])))).flat()
    expect(written.map(({ inserted }) => inserted)).toEqual([true, false, false, false, false])
    expect(new Set(written.map(idOf))).toEqual(new Set([calls[0] && idOf(calls[0])]))
    expect(await idsOf(scope)).toHaveLength(1)
  })
})

test("many tenants in one process, in own schemas and in the shared one, get their own and nothing else", async () => {
  const { fleet } = await testFleet(db.database, { worker: false })
  const slugs = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      const options = { placement: n % 2 === 0 ? ("shared" as const) : ("own" as const) }
      return (await fleet.tenants.provision(testSlug(`${n}`), options)).slug
    }),
  )
  const calls = Array.from({ length: 200 }, (_, n) => ({ slug: slugs[n % slugs.length] ?? "", n }))
  const results = await Promise.all(
    calls.map(({ slug, n }) => fleet.tenant(slug).emit("a.b", { slug }, { dedupeKey: `k${n % 10}` })),
  )
  for (const slug of slugs) {
    const mine = results.filter((_, at) => calls[at]?.slug === slug)
    const page = await fleet.tenant(slug).signals.list({ limit: 100, visibilities: ["internal"] })
    expect(page.signals.map(({ id }) => id).toSorted()).toEqual([...new Set(mine.map(idOf))].toSorted())
    expect(mine.every(({ signal }) => signal.tenant === slug)).toBe(true)
  }
})

describe("a database that stays away", () => {
  test("is tried for 15 seconds, and then each caller gets the error that says so", async () => {
    const scope = await tenantOf(db.database, "own")
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
    const unreachable = new FleetPromptError("database_unreachable", "told by the test")
    const { writer } = writerOn(() => Promise.reject(unreachable))
    const ended: unknown[] = []
    for (let n = 0; n < 5; n++) void writer.write(scope, [draft(scope)]).catch((error: unknown) => ended.push(error))
    for (let second = 0; second < 13; second++) {
      await vi.advanceTimersByTimeAsync(1_000)
      expect(ended).toEqual([])
    }
    await vi.advanceTimersByTimeAsync(4_000)
    expect(ended).toEqual(Array.from({ length: 5 }, () => unreachable))
    await writer.idle()
  })

  test("holds no caller much longer when each try takes its time", async () => {
    const scope = await tenantOf(db.database, "own")
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
    const { writer } = writerOn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5_000))
      throw new FleetPromptError("database_unreachable", "told by the test")
    })
    let ended = 0
    for (let n = 0; n < 50; n++) void writer.write(scope, [draft(scope)]).catch(() => (ended += 1))
    await vi.advanceTimersByTimeAsync(30_000)
    const afterHalfAMinute = ended
    await vi.advanceTimersByTimeAsync(600_000)
    expect([afterHalfAMinute, ended]).toEqual([50, 50])
  })

  test("an error that is the same the next time is not tried again", async () => {
    const scope = await tenantOf(db.database, "own")
    let statements = 0
    const { writer } = writerOn(() => {
      statements += 1
      return Promise.reject(sqlError("42P01"))
    })
    await expect(writer.write(scope, [draft(scope)])).rejects.toMatchObject({ code: "42P01" })
    expect(statements).toBe(1)
  })
})

describe("what the worker of the process takes at once", () => {
  test("is held from the start, and comes with the commit", async () => {
    const scope = await tenantOf(db.database, "own")
    const { handOff, taken, reserved } = idleWorker(2)
    const { writer } = writerOn(runs, handOff)
    const drafts = Array.from({ length: 3 }, () => draft(scope, {}, [delivery]))
    await Promise.all(drafts.map((each) => writer.write(scope, [each])))
    expect(taken.map(({ signalId }) => signalId)).toEqual(drafts.slice(0, 2).map(idOf))
    expect(reserved()).toBe(0)
    const rows = await db.database.query(
      `select leased_by, attempt, leased_until > now() as held from fleetprompt.deliveries where tenant = $1 order by position`,
      [scope.slug],
    )
    expect(rows).toEqual([
      { leased_by: "me", attempt: 1, held: true },
      { leased_by: "me", attempt: 1, held: true },
      { leased_by: null, attempt: 0, held: null },
    ])
  })

  test("is given up when it could not be stored", async () => {
    const scope = await tenantOf(db.database, "own")
    const { handOff, taken, reserved } = idleWorker()
    const { writer } = writerOn(runs, handOff)
    await expect(writer.write(scope, [draft(scope, {}, [delivery, badDelivery])])).rejects.toMatchObject({
      code: "22003",
    })
    expect([taken, reserved()]).toEqual([[], 0])
  })

  test("is given up when the tenant had the fact already", async () => {
    const scope = await tenantOf(db.database, "own")
    const { handOff, taken, reserved } = idleWorker()
    const { writer } = writerOn(runs, handOff)
    await writer.write(scope, [draft(scope, { dedupeKey: "k" }, [delivery])])
    await writer.write(scope, [draft(scope, { dedupeKey: "k" }, [delivery]), draft(scope, {}, [delivery])])
    expect([taken.length, reserved()]).toEqual([2, 0])
  })

  test("is taken once when the answer was lost", async () => {
    const scope = await tenantOf(db.database, "own")
    const { handOff, taken, reserved } = idleWorker()
    const { writer } = writerOn(fated(["lost after", "lost before", "lost after"]), handOff)
    const one = draft(scope, {}, [delivery])
    expect(await writer.write(scope, [one])).toEqual([{ signal: one.signal, inserted: true }])
    expect([taken.map(({ signalId }) => signalId), reserved()]).toEqual([[one.signal.id], 0])
  })

  test("is left to whoever took it over when the answer was lost for longer than a lease", async () => {
    const scope = await tenantOf(db.database, "own")
    const { handOff, taken, reserved } = idleWorker()
    let isFirst = true
    const { writer } = writerOn(async ({ name, run }) => {
      const rows = await run()
      if (name !== "insertSignals" || !isFirst) return rows
      isFirst = false
      await db.database.query("update fleetprompt.deliveries set leased_until = now() where tenant = $1", [scope.slug])
      const lane = { handler: delivery.handler, tenant: scope.slug, priority: 0, version: 1, take: 1 }
      expect(await claimDeliveries(db.database, { worker: "other", leaseMs: 60_000 }, [lane])).toHaveLength(1)
      throw away()
    }, handOff)
    expect(await writer.write(scope, [draft(scope, {}, [delivery])])).toMatchObject([{ inserted: true }])
    expect([taken, reserved()]).toEqual([[], 0])
  })

  test("is taken although the look-up after a lost answer fails at first", async () => {
    const scope = await tenantOf(db.database, "own")
    const { handOff, taken, reserved } = idleWorker()
    let lookUps = 0
    const lostOnce = fated(["lost after"])
    const { writer } = writerOn(async (statement) => {
      if (statement.name === "selectTwin" && lookUps++ === 0) throw away()
      return lostOnce(statement)
    }, handOff)
    const one = draft(scope, {}, [delivery])
    expect(await writer.write(scope, [one])).toEqual([{ signal: one.signal, inserted: true }])
    expect([taken.length, reserved()]).toEqual([1, 0])
  })

  test("is given up when the look-up of a twin fails for good", async () => {
    const scope = await tenantOf(db.database, "own")
    const { handOff, taken, reserved } = idleWorker()
    const { writer } = writerOn(({ name, run }) => {
      return name === "selectTwin" ? Promise.reject(sqlError("42501")) : run()
    }, handOff)
    await writer.write(scope, [draft(scope, { dedupeKey: "k" }, [delivery])])
    const again = writer.write(scope, [draft(scope, { dedupeKey: "k" }, [delivery]), draft(scope, {}, [delivery])])
    await expect(again).rejects.toMatchObject({ code: "42501" })
    // The other one of that call is stored, and held by this process.
    expect([taken.length, reserved()]).toEqual([2, 0])
  })
})

test("idle resolves when every call was answered", async () => {
  const scope = await tenantOf(db.database, "own")
  const gate = closedGate()
  const { writer } = writerOn(async ({ run }) => {
    const rows = await run()
    await gate.pass()
    return rows
  })
  await writer.idle()
  const order: string[] = []
  const written = writer.write(scope, [draft(scope)]).then(() => order.push("written"))
  const idle = writer.idle().then(() => order.push("idle"))
  await gate.reached
  expect(order).toEqual([])
  gate.open()
  await Promise.all([written, idle])
  expect(order).toEqual(["written", "idle"])
})
