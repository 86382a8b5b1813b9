import { afterAll, beforeAll, expect, test } from "vitest"
import { z } from "zod"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { looked, testFleet } from "../../test/support/test-fleet.ts"
import type { Principal } from "../access/principal.ts"
import { defineHandler } from "../delivery/handler.ts"
import { HandlerSet } from "../delivery/handler-set.ts"
import { defineDirective } from "./define-directive.ts"
import { DIRECTIVE_HANDLERS } from "./run-directive.ts"
import { StrayDirectives } from "./stray-directives.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const NOTHING = z.object({})
const TAKER = defineHandler({ name: "taker", on: "**", run: () => {} })

/** A directive that answers with a text. */
function doing(type: string, result: string, approval = false) {
  return defineDirective({ type, params: NOTHING, approval, run: () => result })
}

function principal(tenant: string, id: string): Principal {
  return { kind: "host", id, tenant, role: "admin" }
}

/** What of a tenant's waits, and how often anybody took it. */
async function waiting(slug: string): Promise<readonly unknown[]> {
  return db.database.owner.transaction((tx) =>
    tx.query(`select handler, lease_token::integer as takes from fleetprompt.deliveries where tenant = $1`, [slug]),
  )
}

test("a directive is left to processes that define its type, and waits for one", async () => {
  const directive = doing("thing.do", "done")
  const { fleet, tenant } = await testFleet(db.database, { directives: [doing("other.thing", "other")] })
  const asking = await testFleet(db.database, { directives: [directive], worker: false })
  const { directive: record } = await asking.fleet.directives.request(directive, {}, { tenant: tenant.slug })
  await looked(fleet)
  expect(await tenant.directives.get(record.id)).toMatchObject({ status: "requested", attempt: 0 })
  expect(await waiting(tenant.slug)).toEqual([{ handler: "fleetprompt.directives.thing.do", takes: 0 }])
  const { tenant: there } = await testFleet(db.database, { directives: [directive] })
  expect(await there.directives.wait(record.id)).toMatchObject({ status: "completed", result: "done" })
})

test("a directive is not held up by processes that know other types", async () => {
  const mine = doing("my.thing", "mine")
  const theirs = doing("their.thing", "theirs")
  const { fleet: one, tenant } = await testFleet(db.database, { directives: [mine] })
  const { fleet: two } = await testFleet(db.database, { directives: [theirs] })
  const ids: string[] = []
  for (let n = 0; n < 3; n++) {
    ids.push((await one.directives.request(mine, {}, { tenant: tenant.slug })).directive.id)
    ids.push((await two.directives.request(theirs, {}, { tenant: tenant.slug })).directive.id)
  }
  const results = await Promise.all(ids.map(async (id) => (await tenant.directives.wait(id)).result))
  expect(results).toEqual(ids.map((_, n) => (n % 2 === 0 ? "mine" : "theirs")))
  await expect.poll(() => waiting(tenant.slug)).toEqual([])
  const outcomes = await db.database.query(
    `select outcome, worker, count(*)::integer as count from org_${tenant.slug}.attempts group by 1, 2`,
  )
  expect(outcomes).toHaveLength(2)
  expect(outcomes).toEqual(
    expect.arrayContaining([one, two].map(({ workerName: worker }) => ({ outcome: "done", worker, count: 3 }))),
  )
})

test("a directive may be approved where its type is not known", async () => {
  const directive = doing("thing.do", "done", true)
  const { fleet: knowing, tenant } = await testFleet(db.database, { directives: [directive] })
  const { fleet: other } = await testFleet(db.database)
  const actor = principal(tenant.slug, "ann")
  const { directive: record } = await knowing.directives.request(directive, {}, { tenant: tenant.slug, actor })
  await other.directives.approve(record.id, { tenant: tenant.slug, actor: principal(tenant.slug, "bob") })
  expect(await tenant.directives.wait(record.id)).toMatchObject({ status: "completed", result: "done" })
})

test("a signal that calls a directive by another type has it run by nobody", async () => {
  const [one, two] = [doing("one.thing", "one"), doing("two.thing", "two")]
  const { fleet, tenant } = await testFleet(db.database, { directives: [one, two] })
  const runAt = new Date(Date.now() + 3_600_000)
  const { directive: record } = await tenant.directives.request(one, {}, { runAt })
  const data = { directive_id: record.id, directive_type: "two.thing" }
  await tenant.emit("directive.approved", data)
  await tenant.emit("directive.approved", { ...data, directive_type: "no type" })
  await expect.poll(async () => (await waiting(tenant.slug)).length).toBe(1)
  expect(await waiting(tenant.slug)).toEqual([expect.objectContaining({ handler: `${DIRECTIVE_HANDLERS}one.thing` })])
  expect(await fleet.directives.get(record.id, { tenant: tenant.slug })).toMatchObject({ status: "requested" })
  await tenant.directives.cancel(record.id)
})

test("what nobody took for long is taken, for as long as there is any", async () => {
  const directive = doing("thing.do", "done")
  const { fleet, tenant } = await testFleet(db.database, { directives: [directive], worker: false })
  await fleet.directives.request(directive, {}, { tenant: tenant.slug })
  const handlers = new HandlerSet([])
  let brought = 0
  const strays = new StrayDirectives({
    engine: db.database.hot,
    handlers,
    telemetry: fleet.telemetry,
    handlerOf: (type) => ({ ...TAKER, name: `${DIRECTIVE_HANDLERS}${type}` }),
    onHandlers: () => void brought++,
    patienceMs: 0,
  })
  await strays.look()
  expect(handlers.get("fleetprompt.directives.thing.do", tenant.slug)).toBeDefined()
  await testFleet(db.database, { directives: [directive] })
  await expect.poll(() => waiting(tenant.slug)).toEqual([])
  await strays.look()
  expect(handlers.get("fleetprompt.directives.thing.do", tenant.slug)).toBeUndefined()
  expect(brought).toBe(2)
})
