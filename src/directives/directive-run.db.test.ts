import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"
import { closedGate } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet } from "../../test/support/test-fleet.ts"
import type { Tenant } from "../tenants/tenant.ts"
import { defineDirective } from "./define-directive.ts"
import type { Directive, DirectiveContext } from "./directive.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const NOTHING = z.object({})
const RETRIES = { attempts: 3, backoff: { firstMs: 0 } }

/** A directive without params that does what the test says. */
function doing(run: (context: DirectiveContext) => unknown, more: Partial<Parameters<typeof defineDirective>[0]> = {}) {
  return defineDirective({
    type: "thing.do",
    params: NOTHING,
    retry: RETRIES,
    ...more,
    // What the tests answer is JSON.
    run: run as () => null,
  })
}

/** Requests it and waits for its end. */
async function ended(tenant: Tenant, directive: Directive) {
  const requested = await tenant.directives.request(directive, {})
  return tenant.directives.wait(requested.directive.id)
}

describe("steps", () => {
  test("that ended are not run again when the next one fails; their results are there", async () => {
    const done: string[] = []
    let failures = 2
    const directive = doing(async ({ step, attempt }) => {
      const one = await step("one", ({ key }) => {
        done.push(`one ${key.split(":")[2]}`)
        return { n: 1 }
      })
      return step("two", () => {
        done.push(`two in attempt ${attempt}`)
        if (failures-- > 0) throw new Error("not yet")
        return one.n + 1
      })
    })
    const { fleet, tenant } = await testFleet(db.database, { directives: [directive] })
    const failed = nextEvent(fleet, "directive.attempt_failed")
    expect(await ended(tenant, directive)).toMatchObject({
      status: "completed",
      result: 2,
      attempt: 3,
      errorKind: null,
    })
    expect(done).toEqual(["one one", "two in attempt 1", "two in attempt 2", "two in attempt 3"])
    expect(await failed).toMatchObject({ type: "thing.do", attempt: 1, retryInMs: 0 })
  })

  test("are undone from the last to the first when it fails for good; what cannot be undone is told, and stops nothing", async () => {
    const undone: unknown[] = []
    const directive = doing(
      async ({ step }) => {
        await step("one", () => "r1", { undo: (result) => void undone.push(result) })
        await step("two", () => "r2", {
          undo: () => {
            undone.push("two")
            throw new Error("the other side is gone")
          },
        })
        await step("three", () => "r3")
        await step("four", () => {
          throw new Error("no")
        })
      },
      { retry: { attempts: 1 }, undo: ({ steps }) => void undone.push(Object.keys(steps)) },
    )
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    const record = await ended(tenant, directive)
    expect(record).toMatchObject({
      status: "failed",
      errorMessage: "no",
      errorDetails: { undo: [{ step: "two", message: "the other side is gone" }] },
    })
    expect(undone).toEqual(["two", "two", "two", "r1", ["one", "two", "three"]])
  })

  test("beside one that fails are waited for, and undone too", async () => {
    const gate = closedGate()
    const undone: string[] = []
    const directive = doing(
      ({ step }) =>
        Promise.all([
          step(
            "slow",
            async ({ signal }) => {
              signal.addEventListener("abort", gate.open)
              await gate.pass()
            },
            { undo: () => void undone.push("slow") },
          ),
          step("fails", () => {
            throw new Error("no")
          }),
        ]),
      { retry: { attempts: 1 } },
    )
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    expect(await ended(tenant, directive)).toMatchObject({ status: "failed", errorMessage: "no" })
    expect(undone).toEqual(["slow"])
  })

  test("need names of their own", async () => {
    const directive = doing(
      async ({ step }) => {
        await step("one", () => 1)
        await step("one", () => 2)
      },
      { retry: { attempts: 1 } },
    )
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    expect(await ended(tenant, directive)).toMatchObject({ status: "failed", errorKind: "directive_invalid" })
  })

  test("in a transaction commit what they write with their mark, or neither", async () => {
    await db.database.script("create table if not exists public.step_notes (note text)")
    let failures = 1
    const directive = doing(async ({ id, transaction }) => {
      await transaction("note", async (tx, { emit }) => {
        await tx.query("insert into public.step_notes values ($1)", [id])
        await emit("thing.noted", { id })
        if (failures-- > 0) throw new Error("not yet")
      })
      throw new Error("after it")
    })
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    const { id, errorMessage } = await ended(tenant, directive)
    expect(errorMessage).toBe("after it")
    expect(await db.database.query("select note from public.step_notes where note = $1", [id])).toHaveLength(1)
    const types = (await tenant.directives.trail(id)).map(({ type }) => type)
    expect(types).toEqual(["directive.requested", "directive.started", "thing.noted", "directive.failed"])
  })
})

describe("a run", () => {
  test("that takes too long is told, and fails with its timeout", async () => {
    const directive = doing(
      ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      { timeoutMs: 20, retry: { attempts: 2, backoff: { firstMs: 0 } } },
    )
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    expect(await ended(tenant, directive)).toMatchObject({
      status: "failed",
      errorKind: "directive_timeout",
      attempt: 2,
    })
  })

  test("that answers what is no JSON fails, and its steps are undone", async () => {
    const undone: string[] = []
    const directive = doing(async ({ step }) => {
      await step("one", () => 1, { undo: () => void undone.push("one") })
      return () => "a function"
    })
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    expect(await ended(tenant, directive)).toMatchObject({ status: "failed", errorKind: "data_not_json", attempt: 1 })
    expect(undone).toEqual(["one"])
  })

  test("whose definition tells no proper start fails, and is not stuck", async () => {
    const directive = doing(() => null, {
      trail: {
        started: () => {
          throw new Error("no idea what to say")
        },
      },
    })
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    expect(await ended(tenant, directive)).toMatchObject({ status: "failed", errorMessage: "no idea what to say" })
  })

  test("whose definition tells no proper end still ends", async () => {
    const directive = doing(
      () => {
        throw new Error("no")
      },
      { retry: { attempts: 1 }, trail: { failed: () => ({ data: { when: Number.NaN } }) } },
    )
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    const record = await ended(tenant, directive)
    expect(record).toMatchObject({ status: "failed", errorMessage: "no" })
    expect(record.errorDetails["trail"]).toContain("data.when")
  })

  test("says how far it is", async () => {
    const gate = closedGate()
    const directive = doing(async ({ progress }) => {
      progress(1, 3, "fetching")
      await gate.pass()
      progress(3, 3)
    })
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    const { directive: record } = await tenant.directives.request(directive, {})
    await gate.reached
    await expect
      .poll(async () => (await tenant.directives.get(record.id))?.progress, { timeout: 30_000 })
      .toEqual({ done: 1, total: 3, text: "fetching" })
    gate.open()
    expect((await tenant.directives.wait(record.id)).progress).toEqual({ done: 3, total: 3, text: null })
  })

  test("leaves no secret behind that was revealed to it", async () => {
    const directive = defineDirective({
      type: "secret.use",
      params: z.object({ credential: z.string() }),
      retry: { attempts: 1 },
      run: async ({ params, credentials, step, emit }) => {
        const token = (await credentials.get(params.credential)).reveal("token")
        const { seen } = await step("one", () => ({ seen: `with ${token}` }))
        await emit("secret.used", { seen, note: `x${token}` })
        throw new Error(`refused: ${token}`)
      },
    })
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    const actor = { kind: "user", id: "ann", role: "admin" } as const
    const secret = { token: "a-secret-of-somebody" }
    const { id } = await tenant.credentials.create({ provider: "p", account: "a", kind: "api_key", secret }, actor)
    const requested = await tenant.directives.request(directive, { credential: id })
    const record = await tenant.directives.wait(requested.directive.id)
    expect(record).toMatchObject({ status: "failed", errorMessage: "refused: [redacted:credential]" })
    const rows = await db.database.query(
      `select to_jsonb(directives)::text as row from org_${tenant.slug}.directives
       union all select to_jsonb(directive_steps)::text from org_${tenant.slug}.directive_steps
       union all select to_jsonb(signals)::text from org_${tenant.slug}.signals`,
    )
    expect(JSON.stringify(rows)).toContain("[redacted:credential]")
    expect(JSON.stringify(rows)).not.toContain(secret.token)
    const { entries } = await tenant.audit.list({ limit: 20 })
    expect(entries.find(({ action }) => action === "credential.use")).toMatchObject({
      actor: { kind: "system", id: "directive:secret.use" },
    })
  })
})

describe("the clock", () => {
  test("lets none begin before its time, nor after it has expired", async () => {
    const directive = doing(() => "done")
    const { fleet, tenant } = await testFleet(db.database, { directives: [directive] })
    const snoozed = nextEvent(fleet, "delivery.settled", ({ outcome }) => outcome === "snoozed")
    const runAt = new Date(Date.now() + 1_500)
    const { directive: later } = await tenant.directives.request(directive, {}, { runAt })
    await snoozed
    expect(await tenant.directives.get(later.id)).toMatchObject({ status: "requested", runAt })
    const { startedAt } = await tenant.directives.wait(later.id)
    expect(startedAt && startedAt >= runAt).toBe(true)
    const expiresAt = new Date(Date.now() - 1_000)
    const { directive: late } = await tenant.directives.request(directive, {}, { expiresAt })
    expect(await tenant.directives.wait(late.id)).toMatchObject({
      status: "cancelled",
      errorKind: "expired",
      startedAt: null,
      attempt: 0,
    })
  })

  test("ends what nobody approved in time", async () => {
    const directive = doing(() => null, { approval: true })
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    const expiresAt = new Date(Date.now() + 300)
    const { directive: record } = await tenant.directives.request(directive, {}, { expiresAt })
    expect(await tenant.directives.wait(record.id)).toMatchObject({ status: "cancelled", errorKind: "expired" })
  })
})

describe("a cancellation", () => {
  test("of what runs fires its signal, and what was done is undone", async () => {
    const gate = closedGate()
    const undone: string[] = []
    const directive = doing(async ({ step, signal }) => {
      await step("one", () => 1, { undo: () => void undone.push("one") })
      signal.addEventListener("abort", gate.open)
      await gate.pass()
      await step("two", () => void undone.push("two was begun"))
    })
    const { fleet, tenant } = await testFleet(db.database, { directives: [directive] })
    const told = nextEvent(fleet, "directive.cancelled")
    const { directive: record } = await tenant.directives.request(directive, {})
    await gate.reached
    expect(await tenant.directives.cancel(record.id, { reason: "enough" })).toMatchObject({
      status: "running",
      cancelRequested: true,
    })
    expect(await tenant.directives.wait(record.id)).toMatchObject({
      status: "cancelled",
      errorKind: "cancelled",
      errorMessage: "enough",
    })
    expect(undone).toEqual(["one"])
    expect(await told).toMatchObject({ directiveId: record.id, errorKind: "cancelled", attempt: 1 })
    const types = (await tenant.directives.trail(record.id)).map(({ type }) => type)
    expect(types).toEqual([
      "directive.requested",
      "directive.started",
      "directive.cancel_requested",
      "directive.cancelled",
    ])
  })

  test("reaches the process that runs it, and one that rests between two attempts", async () => {
    const gate = closedGate()
    const directive = doing(
      async ({ step, signal, attempt }) => {
        await step("one", () => 1)
        if (attempt > 1) return
        await gate.pass()
        signal.throwIfAborted()
        throw new Error("not yet")
      },
      { retry: { attempts: 3, backoff: { firstMs: 600_000, longestMs: 600_000 } } },
    )
    const { fleet, tenant } = await testFleet(db.database, { directives: [directive] })
    const other = await testFleet(db.database, { directives: [directive], worker: false })
    const resting = nextEvent(fleet, "directive.attempt_failed")
    const { directive: record } = await tenant.directives.request(directive, {})
    await gate.reached
    gate.open()
    await resting
    await other.fleet.directives.cancel(record.id, { tenant: tenant.slug })
    expect(await tenant.directives.wait(record.id)).toMatchObject({ status: "cancelled", errorKind: "cancelled" })
  })

  test("of what has ended is refused, but for what was cancelled", async () => {
    const directive = doing(() => null)
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    const { id } = await ended(tenant, directive)
    await expect(tenant.directives.cancel(id)).rejects.toMatchObject({ code: "directive_state" })
  })
})

describe("a rerun", () => {
  test("is a new directive with the same params, once for each that has ended", async () => {
    let fails = true
    const gate = closedGate()
    const directive = defineDirective({
      type: "thing.do",
      params: z.object({ n: z.number() }),
      retry: { attempts: 1 },
      run: async ({ params }) => {
        await gate.pass()
        if (fails) throw new Error("no")
        return params.n
      },
    })
    const { tenant } = await testFleet(db.database, { directives: [directive] })
    const options = { idempotencyKey: "one" }
    const first = await tenant.directives.request(directive, { n: 7 }, options)
    await expect(tenant.directives.rerun(first.directive.id)).rejects.toMatchObject({ code: "directive_state" })
    gate.open()
    await tenant.directives.wait(first.directive.id)
    fails = false
    const again = await tenant.directives.rerun(first.directive.id, { reason: "mended" })
    expect(again).toMatchObject({ inserted: true, directive: { rerunOf: first.directive.id, params: { n: 7 } } })
    expect(again.directive.correlationId).toBe(first.directive.correlationId)
    expect(await tenant.directives.wait(again.directive.id)).toMatchObject({ status: "completed", result: 7 })
    expect(await tenant.directives.rerun(first.directive.id)).toMatchObject({
      inserted: false,
      directive: { id: again.directive.id },
    })
    // The key still answers with the first.
    expect(await tenant.directives.request(directive, { n: 7 }, options)).toMatchObject({
      inserted: false,
      directive: { id: first.directive.id, status: "failed" },
    })
  })
})
