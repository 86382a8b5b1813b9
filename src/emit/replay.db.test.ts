import { setImmediate as nextTurn } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { closedGate, interceptDatabase } from "../../test/support/intercepted-database.ts"
import { replayRig, type ReplayRig, settleAll, target } from "../../test/support/replay-rig.ts"
import {
  bury,
  noteAttempt,
  outcomesOf,
  placements,
  queueOf,
  type SignalRow,
  storeSignals,
  tenantOf,
} from "../../test/support/tenant-rows.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import type { Database } from "../store/database.ts"
import { FleetPromptError } from "../errors.ts"
import { Placements } from "../store/placements.ts"
import { changeTenantStatus } from "../store/tenants.ts"
import { type Placement, quoteName, type TenantScope } from "../store/tenant-scope.ts"
import { openReplays } from "../tenants/replays.ts"
import { stepReplay } from "./replay-step.ts"
import { Routes } from "./routes.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const actor = { id: "user_1", role: "admin" }
const fast = { perSecond: 10_000 }

const signals = (count: number, row: SignalRow = {}): SignalRow[] => Array.from({ length: count }, () => row)

describe.each(placements)("in a tenant with placement %s", (placement) => {
  test("signals are taken in the order of their commits, and every handler that fits gets its delivery", async () => {
    const rig = await replayRig(db.database, placement, [
      target("invoice", "order.*", { priorityOf: 10, version: 3, flowKey: ({ id }) => id.slice(0, 4) }),
      target("audit", "**", { where: ({ data }) => Reflect.get(Object(data), "n") !== 3 }),
      target("other", "mail.*"),
    ])
    const ids: string[] = []
    // Several transactions, so that the order is not that of one statement.
    for (let n = 0; n < 6; n++) ids.push(...(await storeSignals(db.database, rig.scope, [{ data: { n } }])))
    rig.startReplayer()
    const done = rig.progress(({ signals }) => signals === 6)
    const replay = await rig.replays.start({ filter: { pattern: "order.**" }, ...fast }, { actor })
    await done
    const queued = await queueOf(db.database, rig.scope)
    expect(queued.map(({ signalId, handler }) => [signalId, handler])).toEqual(
      ids.flatMap((id, n) =>
        n === 3
          ? [[id, "invoice"]]
          : [
              [id, "invoice"],
              [id, "audit"],
            ],
      ),
    )
    expect(queued[0]).toEqual({
      signalId: ids[0],
      handler: "invoice",
      // Live: -10. A replay's come behind all live ones of the handler.
      priority: 90,
      version: 3,
      attempt: 0,
      flowKey: ids[0]?.slice(0, 4),
      replayId: replay.id,
      isDue: true,
    })
    expect(rig.lanes).toContainEqual({ handler: "audit", tenant: rig.scope.slug, priority: 100 })
    const completed = rig.reached("completed")
    await settleAll(db.database, rig.scope)
    await completed
    expect(await rig.replays.get(replay.id)).toMatchObject({
      status: "completed",
      total: 6,
      seen: 6,
      enqueued: 11,
      skipped: 0,
      open: 0,
      request: { filter: { pattern: "order.**" }, perSecond: 10_000, maxOpen: 1_000, force: false },
      requestedBy: actor,
      finishedAt: expect.any(String),
    })
  })

  /** One signal for each state that its delivery to the handler `a` may be in. */
  async function everyState(rig: ReplayRig) {
    const { scope } = rig
    const [fresh = "", done = "", failed = "", redone = "", discarded = "", open = "", dead = ""] = await storeSignals(
      db.database,
      scope,
      signals(7),
    )
    const note = (signalId: string, outcome: string, handler = "a") =>
      noteAttempt(db.database, scope, { signalId, handler, outcome })
    await note(done, "failed")
    await note(done, "done")
    await note(failed, "done", "b")
    await note(failed, "cancelled")
    // It succeeded, was forced, and failed then.
    await note(redone, "done")
    await note(redone, "failed")
    await note(discarded, "discarded")
    await bury(db.database, scope, [{ signalId: dead, handler: "a" }])
    await db.database.query(
      `insert into fleetprompt.deliveries (tenant, signal_id, handler) values ($1, $2::text::uuid, 'a')`,
      [scope.slug, open],
    )
    return { fresh, done, failed, redone, discarded, open, dead }
  }

  const targets = [target("a", "order.*"), target("b", "order.created"), target("c", "**", { replayable: false })]

  test("a plan counts what would be done and changes nothing", async () => {
    const rig = await replayRig(db.database, placement, targets)
    await everyState(rig)
    const before = await queueOf(db.database, rig.scope)
    const looked: number[] = []
    const plan = await rig.replays.plan({ filter: {} }, { onProgress: ({ signals: count }) => void looked.push(count) })
    expect(plan).toEqual({
      signals: 7,
      handlers: [
        { handler: "a", run: 5, skipped: { succeeded: 1, open: 1, notReplayable: 0 } },
        { handler: "b", run: 6, skipped: { succeeded: 1, open: 0, notReplayable: 0 } },
        { handler: "c", run: 0, skipped: { succeeded: 0, open: 0, notReplayable: 7 } },
      ],
      isComplete: true,
    })
    expect(looked.at(-1)).toBe(7)
    expect((await rig.replays.plan({ filter: {}, force: true, handler: "a" })).handlers).toEqual([
      { handler: "a", run: 6, skipped: { succeeded: 0, open: 1, notReplayable: 0 } },
    ])
    expect((await rig.replays.plan({ filter: { pattern: "none" } })).handlers).toEqual([])
    expect(await rig.replays.plan({ filter: {} }, { timeoutMs: 0 })).toEqual({
      signals: 0,
      handlers: [],
      isComplete: false,
    })
    expect(await queueOf(db.database, rig.scope)).toEqual(before)
    expect(await rig.replays.list()).toEqual([])
  })

  test("what succeeded, what is open and what may not be replayed is left out, and a dead letter leaves", async () => {
    const rig = await replayRig(db.database, placement, targets)
    const { fresh, failed, redone, discarded, open, dead } = await everyState(rig)
    rig.startReplayer()
    const moved = rig.progress((each) => each.signals === 7)
    const replay = await rig.replays.start({ filter: {}, ...fast, handler: "a", reason: "lost mails" }, { actor })
    expect(await moved).toMatchObject({ tenant: rig.scope.slug, replayId: replay.id, deliveries: 5 })
    const queued = await queueOf(db.database, rig.scope)
    expect(queued.map(({ signalId }) => signalId)).toEqual([open, fresh, failed, redone, discarded, dead])
    const letters = await db.database.query(`select 1 from ${rig.scope.schema}.dead_letters where tenant = $1`, [
      rig.scope.slug,
    ])
    expect(letters).toEqual([])
    expect(await rig.replays.get(replay.id)).toMatchObject({
      enqueued: 5,
      skipped: 2,
      open: 5,
      request: { handler: "a", reason: "lost mails" },
    })
  })

  test("with force, handlers that succeeded run again", async () => {
    const rig = await replayRig(db.database, placement, targets)
    const { done, open } = await everyState(rig)
    rig.startReplayer()
    const moved = rig.progress((each) => each.signals === 7)
    await rig.replays.start({ filter: {}, ...fast, handler: "a", force: true }, { actor })
    expect((await moved).deliveries).toBe(6)
    const queued = await queueOf(db.database, rig.scope)
    expect(queued.find(({ signalId }) => signalId === done)).toMatchObject({ replayId: expect.any(String) })
    expect(queued.find(({ signalId }) => signalId === open)).toMatchObject({ replayId: null })
  })

  test("one signal is replayed alone", async () => {
    const rig = await replayRig(db.database, placement, targets)
    const [, id = ""] = await storeSignals(db.database, rig.scope, signals(3))
    rig.startReplayer()
    expect((await rig.replays.plan({ signalId: id })).signals).toBe(1)
    const moved = rig.progress((each) => each.signals === 1)
    const replay = await rig.replays.start({ signalId: id }, { actor })
    await moved
    expect((await queueOf(db.database, rig.scope)).map(({ signalId, handler }) => [signalId, handler])).toEqual([
      [id, "b"],
      [id, "a"],
    ])
    const completed = rig.reached("completed")
    await settleAll(db.database, rig.scope)
    await completed
    expect(await rig.replays.get(replay.id)).toMatchObject({ total: 1, seen: 1, enqueued: 2, skipped: 1 })
  })

  test("signals that come while it runs are not its own, so that it ends", async () => {
    const rig = await replayRig(db.database, placement, [target("echo", "**")])
    await storeSignals(db.database, rig.scope, signals(10))
    const replay = await rig.replays.start({ filter: {}, ...fast }, { actor })
    const later = await storeSignals(db.database, rig.scope, signals(5))
    rig.startReplayer()
    await rig.progress((each) => each.signals === 10)
    const completed = rig.reached("completed")
    await settleAll(db.database, rig.scope)
    await completed
    expect(await rig.replays.get(replay.id)).toMatchObject({ total: 10, seen: 10, enqueued: 10 })
    expect(await outcomesOf(db.database, rig.scope, later[0] ?? "", "echo")).toEqual([])
  })

  test("pause makes no more deliveries, resume goes on where it stopped", async () => {
    const rig = await replayRig(db.database, placement, [target("a", "**")])
    const ids = await storeSignals(db.database, rig.scope, signals(30))
    rig.startReplayer()
    const blocked = rig.progress((each) => each.signals === 10)
    const replay = await rig.replays.start({ filter: {}, ...fast, maxOpen: 10 }, { actor })
    await blocked
    expect(await rig.replays.pause(replay.id)).toMatchObject({ status: "paused", seen: 10 })
    expect(await rig.replays.pause(replay.id)).toMatchObject({ status: "paused" })
    await settleAll(db.database, rig.scope)
    // A process that comes now finds nothing to do.
    const again = rig.startReplayer()
    await again.stop()
    expect(await queueOf(db.database, rig.scope)).toEqual([])
    const moved = rig.progress((each) => each.signals === 20)
    expect(await rig.replays.resume(replay.id)).toMatchObject({ status: "running" })
    await moved
    expect((await queueOf(db.database, rig.scope)).map(({ signalId }) => signalId)).toEqual(ids.slice(10, 20))
    const last = rig.progress((each) => each.signals === 30)
    await settleAll(db.database, rig.scope)
    await last
    const completed = rig.reached("completed")
    await settleAll(db.database, rig.scope)
    await completed
    await expect(rig.replays.pause(replay.id)).rejects.toMatchObject({ code: "replay_ended" })
    await expect(rig.replays.resume(replay.id)).rejects.toMatchObject({ code: "replay_ended" })
    await expect(rig.replays.cancel(replay.id)).rejects.toMatchObject({ code: "replay_ended" })
  })

  test("cancel takes away what nobody holds, and gives dead letters back", async () => {
    const rig = await replayRig(db.database, placement, [target("a", "**", { priorityOf: 5 })])
    const [held = "", tried = "", dead = "", fresh = "", snoozed = ""] = await storeSignals(
      db.database,
      rig.scope,
      signals(5),
    )
    await bury(db.database, rig.scope, [
      { signalId: dead, handler: "a", attempts: 4, error: { name: "Oops" }, priority: -5 },
    ])
    rig.startReplayer()
    const moved = rig.progress((each) => each.signals === 5)
    const replay = await rig.replays.start({ filter: {}, ...fast }, { actor })
    await moved
    await noteAttempt(db.database, rig.scope, {
      signalId: snoozed,
      handler: "a",
      outcome: "snoozed",
      replayId: replay.id,
    })
    await db.database.query(
      `update fleetprompt.deliveries set attempt = attempt + 1, leased_by = 'w',
         leased_until = case when signal_id = $2::text::uuid then now() + interval '1 hour' else now() - interval '1 ms' end
       where tenant = $1 and signal_id in ($2::text::uuid, $3::text::uuid)`,
      [rig.scope.slug, held, tried],
    )
    expect(await rig.replays.cancel(replay.id)).toMatchObject({ status: "cancelled", open: 1, enqueued: 5 })
    expect(await rig.replays.cancel(replay.id)).toMatchObject({ status: "cancelled" })
    expect((await queueOf(db.database, rig.scope)).map(({ signalId }) => signalId)).toEqual([held])
    expect(await outcomesOf(db.database, rig.scope, tried, "a")).toEqual(["cancelled"])
    expect(await outcomesOf(db.database, rig.scope, snoozed, "a")).toEqual(["snoozed", "cancelled"])
    expect(await outcomesOf(db.database, rig.scope, fresh, "a")).toEqual([])
    const letters = await db.database.query(
      `select signal_id as "signalId", attempts, error, priority, replay_id as "replayId" from ${rig.scope.schema}.dead_letters where tenant = $1`,
      [rig.scope.slug],
    )
    expect(letters).toEqual([{ signalId: dead, attempts: 4, error: { name: "Oops" }, priority: -5, replayId: null }])
    await expect(rig.replays.resume(replay.id)).rejects.toMatchObject({ code: "replay_ended" })
  })

  test("another tenant's signals, replays and deliveries are out of reach", async () => {
    const rig = await replayRig(db.database, placement, [target("a", "**")])
    const [id = ""] = await storeSignals(db.database, rig.scope, signals(1))
    const replay = await rig.replays.start({ filter: {} }, { actor })
    const { scope: other, replays } = await otherTenant(placement)
    await expect(replays.plan({ signalId: id })).rejects.toMatchObject({ code: "not_found" })
    expect(await replays.plan({ filter: {} })).toMatchObject({ signals: 0 })
    expect(await replays.get(replay.id)).toBeUndefined()
    expect(await replays.list()).toEqual([])
    for (const change of [replays.pause, replays.resume, replays.cancel])
      await expect(change(replay.id)).rejects.toMatchObject({ code: "not_found" })
    expect(await queueOf(db.database, other)).toEqual([])
    expect(await rig.replays.get(replay.id)).toMatchObject({ status: "running" })
  })
})

async function otherTenant(placement: Placement) {
  const { deps } = await replayRig(db.database, placement, [target("a", "**")])
  const scope = await tenantOf(db.database, placement, "other")
  return { scope, replays: openReplays(scope.slug, () => deps) }
}

describe("filters", () => {
  test.each([
    ["nothing", {}, [0, 1, 2, 3, 4]],
    ["pattern", { pattern: "order.*" }, [0, 1]],
    ["from", { from: "2026-01-02T00:00:00Z" }, [1, 2, 3, 4]],
    ["to", { to: "2026-01-02T00:00:00Z" }, [0]],
    ["a typed subject", { subject: "order:1" }, [0, 2]],
    ["a subject that is a UUID", { subject: "order:0192f0c1-0000-7000-8000-000000000001" }, [3]],
    ["a subject without a type", { subject: "plain" }, [4]],
    ["correlation", { correlationId: "trip" }, [1, 4]],
    ["source", { source: "/crm" }, [3]],
    ["several", { pattern: "**.created", subject: "order:1" }, [0, 2]],
  ])("by %s", async (_, filter, expected) => {
    const rig = await replayRig(db.database, "own", [target("a", "**")])
    const rows: readonly SignalRow[] = [
      { type: "order.created", subject: "order:1", time: "2026-01-01T12:00:00Z" },
      { type: "order.paid", time: "2026-01-02T00:00:00Z", correlationId: "trip" },
      { type: "mail.sent.created", subject: "order:1" },
      { type: "lead", subject: "order:0192f0c1-0000-7000-8000-000000000001", source: "/crm" },
      { type: "lead", subject: "plain", correlationId: "trip" },
    ]
    const ids = await storeSignals(db.database, rig.scope, rows)
    const plan = await rig.replays.plan({ filter })
    expect(plan.signals).toBe(expected.length)
    rig.startReplayer()
    const moved = rig.progress((each) => each.signals === expected.length)
    const replay = await rig.replays.start({ filter, ...fast }, { actor })
    expect(replay).toMatchObject({ total: expected.length, request: { filter } })
    await moved
    expect((await queueOf(db.database, rig.scope)).map(({ signalId }) => signalId)).toEqual(
      expected.map((at) => ids[at]),
    )
  })

  test("a rare match among many rows is found, a part of the rows at a time", async () => {
    const rig = await replayRig(db.database, "own", [target("a", "rare")])
    const [first = ""] = await storeSignals(db.database, rig.scope, [{ type: "rare" }])
    await db.database.query(
      `insert into ${rig.scope.schema}.signals (tenant, id, type, source, data, occurred_at)
       select $1, gen_random_uuid(), 'common', 'app', '{}', now() from generate_series(1, 25000)`,
      [rig.scope.slug],
    )
    const [last = ""] = await storeSignals(db.database, rig.scope, [{ type: "rare" }])
    const looked: number[] = []
    const filter = { pattern: "rare" }
    const plan = await rig.replays.plan({ filter }, { onProgress: ({ signals: count }) => void looked.push(count) })
    expect(plan).toMatchObject({ signals: 2, handlers: [{ handler: "a", run: 2 }] })
    expect(looked).toEqual([1, 1, 2])
    rig.startReplayer()
    const moved = rig.progress((each) => each.signals === 2)
    expect((await rig.replays.start({ filter, ...fast }, { actor })).total).toBe(2)
    await moved
    expect((await queueOf(db.database, rig.scope)).map(({ signalId }) => signalId)).toEqual([first, last])
  })
})

describe("whatever happens between two steps, nothing is repeated and nothing left out", () => {
  /** Notes every delivery that is made, also of those that are gone. */
  async function logDeliveries(scope: TenantScope): Promise<() => Promise<readonly string[]>> {
    const name = quoteName(`log_${scope.slug}`)
    await db.database.script(
      `create table ${name} (at bigint generated always as identity, signal_id uuid);
       create function ${name}() returns trigger language plpgsql security definer set search_path = public as $$ begin
         insert into ${name} (signal_id) values (new.signal_id);
         return null;
       end $$;
       create trigger ${name} after insert on fleetprompt.deliveries for each row
       when (new.tenant = '${scope.slug}') execute function ${name}()`,
    )
    onTestFinished(() => db.database.script(`drop trigger ${name} on fleetprompt.deliveries`))
    return async () => {
      const rows = await db.database.query<{ signal_id: string }>(`select signal_id from ${name} order by at`)
      return rows.map((row) => row.signal_id)
    }
  }

  class ConnectionLost extends Error {
    readonly code = "08006"

    constructor() {
      super("the connection broke")
    }
  }

  /** A process's way to the database, which breaks for good at its n-th statement, before it was carried out or after. */
  function breaking(nth: number, onBreak: () => void): Database {
    let statements = 0
    return interceptDatabase(db.database, async ({ run }) => {
      if (++statements > nth) throw new ConnectionLost()
      const isLast = statements === nth
      if (isLast) setImmediate(onBreak)
      if (isLast && nth % 2 === 0) throw new ConnectionLost()
      const rows = await run()
      if (isLast) throw new ConnectionLost()
      return rows
    })
  }

  test("when one process after the other goes away", async () => {
    const rig = await replayRig(db.database, "own", [target("a", "**")])
    const logged = await logDeliveries(rig.scope)
    const ids = await storeSignals(db.database, rig.scope, signals(1_000))
    let processes = 0
    const begin = () => {
      const nth = processes++
      const worker = `worker-${nth}`
      // Leased, prolonged, looked up, read, stored: each statement is the last one of some process.
      if (nth < 24) rig.startReplayer({ worker, database: breaking(1 + (nth % 12), begin), leaseMs: 30 })
      else rig.startReplayer({ worker })
    }
    const moved = rig.progress((each) => each.signals === 1_000)
    await rig.replays.start({ filter: {}, perSecond: 200, maxOpen: 10_000 }, { actor })
    begin()
    await moved
    expect(await logged()).toEqual(ids)
    expect(processes).toBeGreaterThan(10)
  })

  test("when a process sleeps through its lease, what it does then is refused", async () => {
    const rig = await replayRig(db.database, "own", [target("a", "**")])
    const logged = await logDeliveries(rig.scope)
    const ids = await storeSignals(db.database, rig.scope, signals(50))
    const gate = closedGate()
    const database = interceptDatabase(db.database, async ({ name, run }) => {
      if (name === "insertReplayBatch") await gate.pass()
      return run()
    })
    rig.startReplayer({ worker: "sleeper", database, leaseMs: 1 })
    const replay = await rig.replays.start({ filter: {}, ...fast }, { actor })
    await gate.reached
    const moved = rig.progress((each) => each.signals === 50)
    rig.startReplayer({ worker: "other" })
    await moved
    gate.open()
    const completed = rig.reached("completed")
    await settleAll(db.database, rig.scope)
    await completed
    expect(await logged()).toEqual(ids)
    expect(await rig.replays.get(replay.id)).toMatchObject({ seen: 50, enqueued: 50, skipped: 0 })
  })

  test("when several processes want the same replay", async () => {
    const rig = await replayRig(db.database, "shared", [target("a", "**")])
    const logged = await logDeliveries(rig.scope)
    const ids = await storeSignals(db.database, rig.scope, signals(700))
    for (let n = 0; n < 4; n++) rig.startReplayer({ worker: `w${n}` })
    const moved = rig.progress((each) => each.signals === 700)
    await rig.replays.start({ filter: {}, ...fast }, { actor })
    await moved
    expect(await logged()).toEqual(ids)
  })

  test("a process that stops gives its replays back at once", async () => {
    const rig = await replayRig(db.database, "own", [target("a", "**")])
    const ids = await storeSignals(db.database, rig.scope, signals(20))
    const first = rig.startReplayer({ worker: "first", leaseMs: 3_600_000 })
    const begun = rig.progress((each) => each.signals === 5)
    await rig.replays.start({ filter: {}, ...fast, maxOpen: 5 }, { actor })
    await begun
    await first.stop()
    await settleAll(db.database, rig.scope)
    const moved = rig.progress((each) => each.signals === 10)
    rig.startReplayer({ worker: "second" })
    await moved
    expect((await queueOf(db.database, rig.scope)).map(({ signalId }) => signalId)).toEqual(ids.slice(5, 10))
  })
})

describe("limits", () => {
  test("never more than maxOpen deliveries are in the queue, unless one signal has more", async () => {
    const rig = await replayRig(db.database, "own", [target("a", "**"), target("b", "**"), target("c", "**")])
    await storeSignals(db.database, rig.scope, signals(40))
    rig.startReplayer()
    for (const [maxOpen, most] of [
      [10, 9],
      [2, 3],
    ] as const) {
      const completed = rig.reached("completed")
      const { id } = await rig.replays.start({ filter: {}, ...fast, maxOpen, force: true }, { actor })
      const sizes: number[] = []
      while ((await rig.replays.get(id))?.status === "running") {
        sizes.push(await settleAll(db.database, rig.scope))
        await nextTurn()
      }
      await completed
      expect(Math.max(...sizes)).toBe(most)
      expect(sizes.reduce((sum, size) => sum + size)).toBe(120)
    }
  })

  test("replays that wait for the queue do not keep others from being carried out", async () => {
    const rig = await replayRig(db.database, "own", [target("stuck", "order.created"), target("quick", "mail.sent")])
    const ids = await storeSignals(db.database, rig.scope, signals(18))
    for (const signalId of ids) await rig.replays.start({ signalId }, { actor })
    const [quick = ""] = await storeSignals(db.database, rig.scope, [{ type: "mail.sent" }])
    const last = await rig.replays.start({ signalId: quick }, { actor })
    const moved = rig.progress((each) => each.replayId === last.id && each.signals === 1)
    rig.startReplayer()
    await moved
    const replays = await rig.replays.list()
    expect(replays.map(({ status }) => status)).toEqual(Array.from({ length: 19 }, () => "running"))
  })

  test("between two steps it rests by the database's clock, also in another process", async () => {
    const rig = await replayRig(db.database, "own", [target("a", "**")])
    await storeSignals(db.database, rig.scope, signals(3))
    const { id } = await rig.replays.start({ filter: {}, perSecond: 1 }, { actor })
    const [row] = await db.database.query<{ order: never; tenant: string }>(
      `update fleetprompt.replays set leased_by = 'w', leased_until = now() where id = $1::text::uuid
       returning request as "order", tenant`,
      [id],
    )
    if (!row) throw new Error("there is a replay")
    const replay = { id, seen: 0, ...row }
    const holder = { worker: "w", leaseMs: 15_000 }
    // One signal a second: a step takes one, and the next is a second later.
    expect(await stepReplay(replay, holder, 0, rig.deps)).toEqual({ kind: "moved", restMs: 1_000 })
    const step = await stepReplay(replay, holder, 3_600_000, rig.deps)
    if (step.kind !== "resting" || step.restMs === undefined) throw new Error(`expected a rest, got ${step.kind}`)
    expect(step.restMs).toBeGreaterThan(3_500_000)
    expect(step.restMs).toBeLessThanOrEqual(3_600_000)
    expect(await queueOf(db.database, rig.scope)).toHaveLength(1)
    // Signals of which nothing is run cost no time.
    await noteAttempt(db.database, rig.scope, {
      signalId: (await nextSignal(rig.scope)) ?? "",
      handler: "a",
      outcome: "done",
    })
    expect(await stepReplay(replay, holder, 0, rig.deps)).toEqual({ kind: "moved", restMs: 0 })
    expect(await rig.replays.get(id)).toMatchObject({ seen: 2, enqueued: 1, skipped: 1 })
  })

  async function nextSignal({ slug, schema }: TenantScope): Promise<string | undefined> {
    const rows = await db.database.query<{ id: string }>(
      `select id from ${schema}.signals where tenant = $1 order by tx_id, position offset 1 limit 1`,
      [slug],
    )
    return rows[0]?.id
  }
})

test("a replay for one handler waits for a process that has it", async () => {
  const rig = await replayRig(db.database, "own", [target("mine", "**")])
  await storeSignals(db.database, rig.scope, signals(1))
  const stranger = rig.startReplayer({ routes: new Routes([target("other", "**")]) })
  const replay = await rig.replays.start({ filter: {}, handler: "mine" }, { actor })
  await stranger.stop()
  expect(await rig.replays.get(replay.id)).toMatchObject({ seen: 0, status: "running" })
  const moved = rig.progress((each) => each.signals === 1)
  rig.startReplayer({ worker: "later" })
  await moved
})

test("a replay that cannot go on says why, and can be resumed", async () => {
  const rig = await replayRig(db.database, "own", [target("a", "**")])
  await storeSignals(db.database, rig.scope, signals(2))
  const { id } = await rig.replays.start({ filter: {}, ...fast }, { actor })
  const failed = rig.reached("failed")
  const gone = { find: () => Promise.reject(new FleetPromptError("tenant_unknown", "told by the test")) }
  const replayer = rig.startReplayer({ placements: gone })
  expect(await failed).toMatchObject({ signals: 0, deliveries: 0 })
  expect(await rig.replays.get(id)).toMatchObject({ status: "failed", error: { code: "tenant_unknown" } })
  await replayer.stop()
  const moved = rig.progress((each) => each.signals === 2)
  expect(await rig.replays.resume(id)).toMatchObject({ status: "running", error: null, finishedAt: null })
  rig.startReplayer({ worker: "later" })
  await moved
})

test("a replay of a tenant that is suspended rests, and goes on when the tenant does", async () => {
  const rig = await replayRig(db.database, "own", [target("a", "**")])
  await storeSignals(db.database, rig.scope, signals(2))
  const { id } = await rig.replays.start({ filter: {}, ...fast }, { actor })
  const { slug } = rig.scope
  await changeTenantStatus(db.database, slug, { from: ["ready"], to: "suspended" })
  const known = new Placements(db.database)
  const refused = new Promise<void>((resolve) => {
    const find = (tenant: string) =>
      known.find(tenant).catch((error: unknown) => {
        resolve()
        throw error
      })
    rig.startReplayer({ placements: { find } })
  })
  await refused
  expect(await rig.replays.get(id)).toMatchObject({ status: "running", seen: 0 })
  const moved = rig.progress((each) => each.signals === 2)
  await changeTenantStatus(db.database, slug, { from: ["suspended"], to: "ready" })
  known.doubt()
  await moved
})

test("whoever watches sees the progress, and the end", async () => {
  const rig = await replayRig(db.database, "own", [target("a", "**")])
  await storeSignals(db.database, rig.scope, signals(8))
  const replay = await rig.replays.start({ filter: {}, ...fast }, { actor })
  const seen: [string, number][] = []
  for await (const each of rig.replays.watch(replay.id)) {
    seen.push([each.status, each.open])
    if (each.seen === 0) rig.startReplayer()
    if (each.open > 0) await settleAll(db.database, rig.scope)
  }
  expect(seen[0]).toEqual(["running", 0])
  expect(seen).toContainEqual(["running", 8])
  expect(seen.at(-1)).toEqual(["completed", 0])

  const paused = await rig.replays.start({ filter: {}, force: true }, { actor })
  await rig.replays.pause(paused.id)
  const abort = new AbortController()
  const statuses: string[] = []
  for await (const { status } of rig.replays.watch(paused.id, { abort: abort.signal })) {
    statuses.push(status)
    abort.abort()
  }
  expect(statuses).toEqual(["paused"])
  expect((await rig.replays.list()).map(({ id }) => id)).toEqual([paused.id, replay.id])
  expect((await rig.replays.list({ limit: 1 })).map(({ id }) => id)).toEqual([paused.id])
})

describe("what is wrong is refused", () => {
  test("members may not replay", async () => {
    const rig = await replayRig(db.database, "own", [target("a", "**")])
    for (const role of ["member", "", "Admin"])
      await expect(rig.replays.start({ filter: {} }, { actor: { id: "u", role } })).rejects.toMatchObject({
        code: "forbidden",
      })
    for (const role of ["owner", "operator"])
      expect(await rig.replays.start({ filter: {} }, { actor: { id: "u", role } })).toMatchObject({
        requestedBy: { id: "u", role },
      })
  })

  const unknown = "0192f0c1-0000-7000-8000-000000000001"
  test.each([
    ["neither signal nor filter", {}, "query_invalid"],
    ["signal and filter", { signalId: unknown, filter: {} }, "query_invalid"],
    ["an unknown signal", { signalId: unknown }, "not_found"],
    ["no id", { signalId: "1" }, "query_invalid"],
    ["an unknown condition", { filter: { typ: "a" } }, "query_invalid"],
    ["a wrong time", { filter: { from: "2026-02-30T00:00:00Z" } }, "query_invalid"],
    ["a wrong pattern", { filter: { pattern: "a.**.**" } }, "pattern_invalid"],
    ["an unknown handler", { filter: {}, handler: "none" }, "handler_unknown"],
    ["no rate", { filter: {}, perSecond: 0 }, "query_invalid"],
    ["a broken rate", { filter: {}, perSecond: 0.5 }, "query_invalid"],
    ["too many at once", { filter: {}, maxOpen: 10_001 }, "query_invalid"],
  ])("%s", async (_, request, code) => {
    const rig = await replayRig(db.database, "own", [target("a", "**")])
    await expect(rig.replays.plan(request as never)).rejects.toMatchObject({ code })
    await expect(rig.replays.start(request as never, { actor })).rejects.toMatchObject({ code })
    expect(await rig.replays.list()).toEqual([])
  })

  test("an unknown replay", async () => {
    const rig = await replayRig(db.database, "own", [target("a", "**")])
    for (const id of [unknown, "x"]) {
      expect(await rig.replays.get(id)).toBeUndefined()
      for (const change of [rig.replays.pause, rig.replays.resume, rig.replays.cancel])
        await expect(change(id)).rejects.toMatchObject({ code: "not_found" })
      await expect(rig.replays.watch(id).next()).rejects.toMatchObject({ code: "not_found" })
    }
    await expect(rig.replays.list({ limit: 0 })).rejects.toMatchObject({ code: "query_invalid" })
  })
})

/** Two connections are needed to have a transaction open while another one works. */
test.runIf(process.env["TEST_DATABASE"] === "server")(
  "what was committed behind an open transaction belongs to a replay, what that one commits later does not",
  async () => {
    const rig = await replayRig(db.database, "own", [target("a", "**")])
    let begun: (id: string) => void = () => {}
    let commit = () => {}
    const open = new Promise<string>((resolve) => (begun = resolve))
    const closing = new Promise<void>((resolve) => (commit = resolve))
    const transaction = db.database.transaction(async (tx) => {
      const [id = ""] = await storeSignals(tx, rig.scope, [{}])
      begun(id)
      await closing
    })
    const late = await open
    const ids = await storeSignals(db.database, rig.scope, signals(3))
    const replay = await rig.replays.start({ filter: {}, ...fast }, { actor })
    commit()
    await transaction
    expect(replay.total).toBe(3)
    rig.startReplayer()
    await rig.progress((each) => each.signals === 3)
    expect((await queueOf(db.database, rig.scope)).map(({ signalId }) => signalId)).toEqual(ids)
    expect(await rig.replays.plan({ signalId: late })).toMatchObject({ signals: 1 })
  },
)
