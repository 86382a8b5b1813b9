import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { createFetchHandler } from "../../src/server/fetch-handler.ts"
import { serve } from "../../src/server/serve.ts"
import type { Transaction } from "../../src/store/database.ts"
import { withinTenant } from "../../src/store/within-tenant.ts"
import { principalOfTest } from "../support/http-people.ts"
import { type DatabaseGate, quiet } from "./database-gate.ts"
import { type NarrowGround, openNarrowGround } from "./narrow-ground.ts"
import { KIT } from "./orders.ts"
import { sessionStates } from "./session-state.ts"
import { type Side, textOf } from "./sides.ts"

/* Whatever becomes of a caller, the next one on the same connection finds it as if nobody had been there. */

const SETUP_MS = 240_000
const ALL = { limit: 500, visibilities: ["internal", "admin_only"] } as const
let ground: NarrowGround
beforeAll(async () => {
  ground = await openNarrowGround()
}, SETUP_MS)
afterAll(() => ground.close())

/** Runs what is to go wrong for A, and then looks at the connections, and at what B sees through them. */
async function leavesNothing([a, b]: readonly [Side, Side], goWrong: () => Promise<unknown>): Promise<void> {
  const { database } = ground
  // What waits for its place in the log would be the first to wait at a gate.
  await a.tenant.audit.head()
  const before = await sessionStates(database)
  await goWrong()
  await quiet(database)
  expect(await sessionStates(database)).toEqual(before)
  const seen = textOf(await b.tenant.signals.list(ALL))
  expect(seen).toContain(b.ids[0])
  for (const theirs of [a.marker, ...a.ids]) expect(seen).not.toContain(theirs)
}

/** A server on a real port, and requests in a tenant's name. */
async function served() {
  const answers: Promise<Response>[] = []
  const handler = createFetchHandler(ground.fleet, { authenticate: principalOfTest, limits: false })
  const fetchHere: typeof handler.fetch = (request, connection) => {
    const answer = Promise.resolve(handler.fetch(request, connection))
    answers.push(answer)
    return answer
  }
  const server = await serve({ fetch: fetchHere, close: () => handler.close() }, { port: 0 })
  onTestFinished(() => server.close())
  const send = (side: Side, method: string, path: string, more: RequestInit = {}): Promise<Response> => {
    const principal = { kind: "host", id: "anna", tenant: side.scope.slug, role: "owner" }
    const headers = { "x-test-principal": JSON.stringify(principal), ...(more.headers as Record<string, string>) }
    return fetch(`${server.url}${path}`, { ...more, method, headers })
  }
  return { send, answered: () => Promise.allSettled(answers) }
}

/** Emits a signal whose subject is its tenant's marker, which lists and streams show; answers with its id. */
async function emitAbout({ tenant, marker }: Side): Promise<string> {
  const { signal } = await tenant.emit("thing.happened", { note: marker }, { subject: `thing:${marker}` })
  return signal.id
}

/** Reads a stream piece by piece, which is not to end. */
function readerOf({ status, body }: Response): () => Promise<string> {
  const reader = body?.getReader()
  return async () => {
    const piece = await reader?.read()
    if (!piece || piece.done) throw new Error(`expected a stream that goes on, this one ended with status ${status}`)
    return new TextDecoder().decode(piece.value)
  }
}

/** Lets somebody go away while a statement of theirs waits. */
async function goneWhileWaiting(table: string, statement: string, begin: () => Promise<unknown>, leave: () => void) {
  const gate: DatabaseGate = await ground.closeGate(table, statement)
  try {
    const gone = begin().catch(() => undefined)
    await gate.reached()
    leave()
    return gone
  } finally {
    await gate.open()
  }
}

const REQUESTS: readonly (readonly [string, string, string, string])[] = [
  ["GET", "/v1/signals?limit=500", ":schema.signals", "selectRecentSignals"],
  ["GET", "/v1/signals/:id", ":schema.signals", "selectSignals"],
  ["GET", "/v1/summary", ":schema.signals", "selectCounts"],
  ["GET", "/v1/credentials", ":schema.credentials", "selectCredentials"],
  ["GET", "/v1/api-keys", "fleetprompt.api_keys", "selectApiKeys"],
  ["GET", "/v1/audit?limit=500", ":schema.audit_log", "selectAuditPage"],
  ["POST", "/v1/audit/verify", ":schema.audit_log", "selectAuditRows"],
  ["GET", "/v1/audit/export", ":schema.audit_log", "selectAuditRows"],
  ["POST", "/v1/service-accounts", "fleetprompt.service_accounts", "insertServiceAccount"],
]

describe.each(["own", "shared"] as const)("in %s tables", (placement) => {
  const sides = (): readonly [Side, Side] => ground.sides[placement]

  test.each(REQUESTS)("a request that goes away while it waits: %s %s", async (method, path, table, statement) => {
    const { send, answered } = await served()
    const [a] = sides()
    const away = new AbortController()
    const body = method === "POST" ? { body: JSON.stringify({ name: `account of ${a.marker}`, role: "member" }) } : {}
    await leavesNothing(sides(), async () => {
      await goneWhileWaiting(
        table.replace(":schema", a.scope.schema),
        statement,
        async () =>
          (await send(a, method, path.replace(":id", a.ids[0] ?? ""), { ...body, signal: away.signal })).text(),
        () => away.abort(),
      )
      await answered()
    })
  })

  test("a live stream that is cut off while it catches up; another's goes on, and shows its own tenant alone", async () => {
    const { send, answered } = await served()
    const [a, b] = sides()
    const [away, end] = [new AbortController(), new AbortController()]
    const read = readerOf(await send(b, "GET", "/v1/signals/live", { signal: end.signal }))
    let shown = await read()
    await leavesNothing(sides(), async () => {
      const headers = { "last-event-id": a.ids[0] ?? "" }
      const open = async (): Promise<unknown> =>
        (await send(a, "GET", "/v1/signals/live", { headers, signal: away.signal })).text()
      await goneWhileWaiting(`${a.scope.schema}.signals`, "selectRecentSignals", open, () => away.abort())
      await answered()
    })
    const [theirs, fresh] = [await emitAbout(a), await emitAbout(b)]
    while (!shown.includes(fresh)) shown += await read()
    end.abort()
    for (const each of [a.marker, theirs]) expect(shown).not.toContain(each)
  })

  test("library calls whose callers went away", async () => {
    const [a] = sides()
    const { signals, audit, directives, packages } = a.tenant
    const { schema } = a.scope
    await leavesNothing(sides(), async () => {
      const end = new AbortController()
      const tail = signals.tail({ signal: end.signal })
      await goneWhileWaiting(
        `${schema}.signals`,
        "selectInOrder",
        () => tail.next(),
        () => end.abort(),
      )
    })
    await leavesNothing(sides(), async () => {
      const tail = signals.tail()
      await goneWhileWaiting(
        `${schema}.signals`,
        "selectInOrder",
        () => tail.next(),
        () => void tail.return?.(),
      )
    })
    await leavesNothing(sides(), async () => {
      const pieces = audit.export()[Symbol.asyncIterator]()
      await pieces.next()
      await goneWhileWaiting(
        `${schema}.audit_log`,
        "selectAuditRows",
        () => pieces.next(),
        () => void pieces.return?.(),
      )
    })
    await leavesNothing(sides(), async () => {
      const end = new AbortController()
      const wait = (): Promise<unknown> => directives.wait(a.orders.waiting, { signal: end.signal })
      await goneWhileWaiting(`${schema}.directives`, "selectDirective", wait, () => end.abort())
    })
    await leavesNothing(sides(), async () => {
      const end = new AbortController()
      const execute = (): Promise<unknown> => packages.execute(KIT, "say", {}, { signal: end.signal })
      await goneWhileWaiting(`${schema}.installations`, "selectLiveInstallation", execute, () => end.abort())
    })
    await leavesNothing(sides(), async () => {
      const end = new AbortController()
      const check = (): Promise<unknown> => audit.verify({ abort: end.signal })
      await goneWhileWaiting(`${schema}.audit_log`, "selectAuditRows", check, () => end.abort())
    })
  })

  test.each(["select 1 / 0", "select * from nowhere", "select pg_advisory_xact_lock(7)", "listen somebody"])(
    "a transaction within a tenant that fails after `%s`",
    async (statement) => {
      const [a] = sides()
      await leavesNothing(sides(), async () => {
        const failing = withinTenant(ground.database, a.scope, async (tx) => {
          await tx.query(`select * from ${a.scope.schema}.signals`)
          await tx.script(statement)
          throw new Error("thrown")
        })
        await expect(failing).rejects.toThrow()
      })
    },
  )

  test("a statement that nobody waited for runs within its transaction, and none after it", async () => {
    const [a] = sides()
    await leavesNothing(sides(), async () => {
      const statement = `select current_user::text as who, tenant from ${a.scope.schema}.signals group by tenant`
      const held: { early?: Promise<readonly object[]>; tx?: Transaction } = {}
      await withinTenant(ground.database, a.scope, async (tx) => {
        held.tx = tx
        held.early = tx.query(statement)
      })
      expect(await held.early).toEqual([{ who: "fleetprompt_tenant", tenant: a.scope.slug }])
      await expect(held.tx?.query(statement)).rejects.toMatchObject({ code: "transaction_closed" })
    })
  })

  const POISON: readonly string[] = [
    "set role fleetprompt_tenant",
    "set session fleetprompt.tenants = 'everybody'",
    "set session fleetprompt.owner = 'on'",
    "set search_path = nowhere",
    "set default_transaction_read_only = on",
    "create temporary table signals (id uuid)",
    "declare kept cursor with hold for select 1",
    "select pg_advisory_lock(7)",
    "listen somebody",
    "commit; set role fleetprompt_engine; begin",
  ]

  test.each(POISON)("a transaction of the program's own, kept or thrown away, with `%s`", async (poison) => {
    const [a] = sides()
    for (const isThrown of [false, true])
      await leavesNothing(sides(), async () => {
        const own = ground.fleet.transaction(async (tx) => {
          await a.tenant.emit("thing.happened", { note: a.marker }, { tx })
          await tx.script(poison)
          if (isThrown) throw new Error("thrown")
        })
        await own.catch(() => undefined)
      })
  })
})
