import { inspect } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type TestDatabase, testDatabase } from "../../test/support/test-database.ts"
import { testFleet } from "../../test/support/test-fleet.ts"
import type { HandlerContext, HandlerCredential } from "../delivery/handler-definition.ts"
import { defineHandler } from "../delivery/handler.ts"
import { cancel } from "../delivery/outcome.ts"
import type { Fleet } from "../fleet.ts"
import type { JsonValue } from "../signal/json.ts"
import { logTo } from "../telemetry/log-to.ts"
import type { Tenant } from "../tenants/tenant.ts"

let opened: TestDatabase

beforeAll(async () => {
  opened = await testDatabase()
})
afterAll(() => opened.close())

const ada = { kind: "user", id: "ada" } as const
const TOKEN = "tok-7f3a9c-planted/+&"
const MARKER = "[redacted:credential]"

interface Rig {
  readonly fleet: Fleet
  readonly tenant: Tenant
  readonly id: string
  /** What listeners were told, as a log writes it and as it is. */
  readonly told: unknown[]
}

/** A fleet whose handler runs once on a signal with the id of a credential; waits until it has run. */
async function run(
  handle: (context: HandlerContext<{ readonly credential: string }>) => unknown,
  more: { readonly retry?: { readonly attempts: number; readonly when?: (error: unknown) => boolean } } = {},
): Promise<Rig> {
  const handler = defineHandler<{ readonly credential: string }>({
    name: "use",
    on: "go",
    retry: { attempts: 1 },
    ...more,
    run: async (context) => {
      const result = await handle(context)
      return result as ReturnType<typeof cancel> | undefined
    },
  })
  const { fleet, tenant } = await testFleet(opened.database, { handlers: [handler] })
  const told: unknown[] = []
  const log = (...line: readonly unknown[]): void => void told.push(line)
  fleet.telemetry.listen(logTo({ debug: log, info: log, warn: log, error: log }))
  fleet.telemetry.listen((...event) => void told.push(event))
  const secret = { token: TOKEN, user: "the-login-name" }
  const { id } = await tenant.credentials.create({ provider: "p", account: "a", kind: "custom", secret }, ada)
  await tenant.emit("go", { credential: id })
  await settled(tenant)
  return { fleet, tenant, id, told }
}

async function settled(tenant: Tenant): Promise<void> {
  while ((await tenant.openDeliveries()) > 0) await new Promise((resolve) => setImmediate(resolve))
}

async function signalsOf(tenant: Tenant, type: string) {
  return (await tenant.signals.list({ limit: 100, pattern: type, visibilities: ["internal"] })).signals
}

test("a handler gets one by its id, and each use is noted with handler and signal", async () => {
  let revealed: JsonValue = null
  const { tenant, id } = await run(async ({ credentials, signal }) => {
    const credential = await credentials.get(signal.data.credential)
    revealed = [credential.reveal("token"), credential.reveal("user")]
    expect(inspect({ credential })).toBe(`{ credential: [credential ${idOf(credential)}] }`)
  })
  expect(revealed).toEqual([TOKEN, "the-login-name"])
  const [signal] = await signalsOf(tenant, "go")
  const { entries } = await tenant.audit.list({ action: "credential.use" })
  expect(entries).toMatchObject([
    {
      actor: { kind: "system", id: "handler:use", role: null },
      resource: `credential:${id}`,
      outcome: "done",
      details: { handler: "use", signalId: signal?.id, attempt: 1, version: 1 },
      correlationId: signal?.id,
    },
  ])
})

function idOf({ id }: HandlerCredential): string {
  return id
}

test("what was revealed is masked in the error, its cause, its log and its dead letter; the handler's own code sees it", async () => {
  let asked: unknown
  const { tenant, told } = await run(
    async ({ credentials, signal }) => {
      const token = (await credentials.get(signal.data.credential)).reveal("token")
      const cause = new TypeError(`401 for ${encodeURIComponent(token)}`)
      const error = new Error(`Bearer ${token} was refused, Basic ${Buffer.from(`u:${token}`).toString("base64")}`, {
        cause,
      })
      throw Object.assign(error, { code: "E_AUTH", config: { headers: { authorization: token } } })
    },
    { retry: { attempts: 3, when: (error) => ((asked = error), false) } },
  )
  expect((asked as Error).message).toContain(TOKEN)
  const { letters } = await tenant.deadLetters.list({})
  const [letter] = letters
  expect(letter?.error).toMatchObject({
    name: "Error",
    code: "E_AUTH",
    cause: { name: "TypeError", message: `401 for ${MARKER}` },
  })
  expect(JSON.stringify(letter)).toContain(`Bearer ${MARKER} was refused`)
  const everything = inspect([letters, told], { depth: 20, showHidden: true, maxStringLength: null })
  expect(everything).toContain(MARKER)
  expect(everything).not.toContain("tok-7f3a9c")
  expect(everything).not.toContain(Buffer.from(TOKEN).toString("base64").slice(4, -4))
})

test("what was not revealed is not looked for, and an error before it is told as it is", async () => {
  const { told } = await run(async ({ credentials, signal }) => {
    await credentials.get(signal.data.credential)
    throw Object.assign(new Error("plain"), { own: "kept" })
  })
  // It is told when the answer of the database has come, which may be after others see the delivery gone.
  await expect.poll(() => inspect(told, { depth: 9 })).toContain("own: 'kept'")
})

test("what was revealed is masked in what the handler emits, and its places are listed", async () => {
  let came: unknown
  await run(async ({ credentials, signal, emit }) => {
    const token = (await credentials.get(signal.data.credential)).reveal("token")
    const data = { url: `https://x.example/?q=${encodeURIComponent(token)}`, list: [1, token], user: "the-login-name" }
    const emitted = await emit("came.out", data, { subject: `key:${token}`, dedupeKey: `once:${token}` })
    came = emitted.signal
  })
  expect(came).toMatchObject({
    subject: `key:${MARKER}`,
    dedupeKey: `once:${MARKER}`,
    data: { url: `https://x.example/?q=${MARKER}`, list: [1, MARKER], user: "the-login-name" },
    metadata: {
      redactions: [
        { path: "subject", rule: "credential" },
        { path: "data.url", rule: "credential" },
        { path: "data.list[1]", rule: "credential" },
        { path: "dedupeKey", rule: "credential" },
      ],
    },
  })
})

test("a type that holds it is refused, and so is all when too much was revealed", async () => {
  const codes: unknown[] = []
  await run(async ({ credentials, signal, emit }) => {
    const credential = await credentials.get(signal.data.credential)
    credential.reveal("user")
    await emit("came.the-login-name", {}).catch((error: unknown) => codes.push(error))
  })
  expect(codes).toMatchObject([{ code: "secret_refused" }])
  expect(inspect(codes)).not.toContain("the-login-name")
})

test("a reason to cancel is masked", async () => {
  const { tenant } = await run(async ({ credentials, signal }) => {
    return cancel(`no use for ${(await credentials.get(signal.data.credential)).reveal("token")}`)
  })
  const [signal] = await signalsOf(tenant, "go")
  const detail = await tenant.signals.get(signal?.id ?? "", ["internal"])
  expect(JSON.stringify(detail)).toContain(`no use for ${MARKER}`)
})

test("after its attempt a credential shows nothing any more, and none is got", async () => {
  let kept: HandlerCredential | undefined
  let context: HandlerContext<{ readonly credential: string }> | undefined
  const { id } = await run(async (it) => {
    context = it
    kept = await it.credentials.get(it.signal.data.credential)
  })
  expect(() => kept?.reveal("token")).toThrow(expect.objectContaining({ code: "credential_unusable" }))
  await expect(context?.credentials.get(id)).rejects.toMatchObject({ code: "credential_unusable" })
})

test("one that was revoked fails the attempt, and the refusal is noted", async () => {
  const handler = defineHandler<{ readonly credential: string }>({
    name: "use",
    on: "go",
    retry: { attempts: 1 },
    run: async ({ credentials, signal }) => void (await credentials.get(signal.data.credential)),
  })
  const { tenant } = await testFleet(opened.database, { handlers: [handler] })
  const { id } = await tenant.credentials.create(
    { provider: "p", account: "a", kind: "custom", secret: { a: "b" } },
    ada,
  )
  await tenant.credentials.revoke(id, ada)
  await tenant.emit("go", { credential: id })
  await settled(tenant)
  expect((await tenant.deadLetters.list({})).letters).toMatchObject([{ error: { code: "credential_unusable" } }])
  expect((await tenant.audit.list({ action: "credential.use", outcome: "denied" })).entries).toHaveLength(1)
})
