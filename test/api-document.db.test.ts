import fc from "fast-check"
import { z } from "zod"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import type { Principal, Role } from "../src/access/principal.ts"
import { defineHandler } from "../src/delivery/handler.ts"
import { defineDirective } from "../src/directives/define-directive.ts"
import { apiRoutes } from "../src/server/api-routes.ts"
import { createFetchHandler, type FetchHandler } from "../src/server/fetch-handler.ts"
import { openApiDocument } from "../src/server/openapi.ts"
import { anApiCall, type ApiCall } from "./support/api-call.ts"
import { type AnswerCheck, answerCheck } from "./support/checked-answers.ts"
import { principalOfTest } from "./support/http-people.ts"
import { labels, notingTemplates, triage } from "./support/package-rig.ts"
import { testDatabase, type TestDatabase } from "./support/test-database.ts"
import { testFleet, testSlug } from "./support/test-fleet.ts"

/** How many calls are made up; `npm run test:api` makes 10,000. */
const CALLS = Number(process.env["API_CALLS"] ?? 400)
const SEED = Number(process.env["API_SEED"] ?? 20_260_102)
/** A twentieth of a second for each, on a busy machine. */
const PATIENCE_MS = 60_000 + CALLS * 50
const ROLES: readonly Role[] = ["member", "admin", "owner", "operator"]

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const document = openApiDocument(apiRoutes)
const check = answerCheck(document)

test(
  "whatever is asked, the answer is one that the document has, and none is a fault of the server",
  async () => {
    const { handler, tenant, ids, names } = await ground()
    const faults: string[] = []
    const seen = new Set<string>()
    const calls = fc.tuple(anApiCall(document, { ids, names }), fc.constantFrom(...ROLES))
    for (const [call, role] of fc.sample(calls, { numRuns: CALLS, seed: SEED })) {
      const answer = await send(handler, call, { kind: kindOf(role), id: "somebody", tenant, role })
      seen.add(`${call.method} ${call.route} ${answer.status}`)
      if (answer.fault !== undefined)
        faults.push(`${role} ${call.method} ${call.target} ${call.body ?? ""}: ${answer.fault}`)
    }
    expect(faults).toEqual([])
    // Made-up calls get through, not only turned down.
    expect([...seen].filter((each) => / 20\d$/.test(each)).length).toBeGreaterThan(Math.min(40, CALLS / 20))
  },
  PATIENCE_MS,
)

test("an answer with another status, a missing field or one too many is found", () => {
  const answer = { method: "GET", route: "/v1/api-keys/{id}", status: 200, contentType: "application/json", body: "{}" }
  expect(check(answer)).toContain("required")
  expect(check({ ...answer, status: 500 })).toBe("status 500 is not documented")
  const health = { ...answer, route: "/v1/health", body: JSON.stringify({ ready: true, checks: [], secret: 1 }) }
  expect(check(health)).toContain("secret")
  expect(check({ ...health, body: JSON.stringify({ ready: true, checks: [] }) })).toBeUndefined()
})

function kindOf(role: Role): Principal["kind"] {
  return role === "operator" ? "operator" : "host"
}

interface Ground {
  readonly handler: FetchHandler
  readonly tenant: string
  readonly ids: readonly string[]
  readonly names: readonly string[]
}

/** A fleet with one of everything, so that calls find something. */
async function ground(): Promise<Ground> {
  const { templates } = notingTemplates()
  const greet = defineDirective({ type: "greeting.send", params: z.object({ to: z.string() }), run: () => null })
  const fails = defineHandler({
    name: "fails",
    on: "lead.*",
    retry: { attempts: 1 },
    run: () => Promise.reject(new Error("no")),
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [fails], directives: [greet], templates })
  await fleet.packages.publish(labels)
  await fleet.packages.publish(triage)
  const other = testSlug("other")
  await fleet.tenants.provision(other)
  const { signal } = await tenant.emit("lead.received", { n: 1 })
  const { directive } = await tenant.directives.request(greet, { to: "you" })
  await fleet.drain()
  const { id: replay } = await tenant.replays.start({ filter: {} }, { actor: { id: "somebody", role: "owner" } })
  const { record: key } = await tenant.apiKeys.create({
    name: "k",
    role: "member",
    owner: { kind: "host", id: "somebody" },
  })
  const account = await tenant.serviceAccounts.create({ name: "robot", role: "member" })
  const handler = createFetchHandler(fleet, { authenticate: principalOfTest, limits: false })
  onTestFinished(() => handler.close())
  const ids = [signal.id, directive.id, replay, key.id, account.id]
  return {
    handler,
    tenant: tenant.slug,
    ids,
    names: ["fails", "labels", "triage", "greeting.send", "lead.*", "1.0.0", other],
  }
}

async function send(
  handler: FetchHandler,
  call: ApiCall,
  principal: Principal,
): Promise<{ readonly status: number; readonly fault: string | undefined }> {
  const headers = { ...call.headers, "x-test-principal": JSON.stringify(principal) }
  const request = new Request(`http://localhost${call.target}`, {
    method: call.method,
    headers,
    ...(call.body !== undefined && { body: call.body }),
  })
  const response = await handler.fetch(request)
  const contentType = response.headers.get("content-type") ?? undefined
  const isFeed = contentType?.includes("event-stream") === true
  if (isFeed) await response.body?.cancel()
  const body = isFeed ? "" : await response.text()
  const { method, route } = call
  return {
    status: response.status,
    fault: faultOf(check, { method, route, status: response.status, contentType, body }),
  }
}

function faultOf(check: AnswerCheck, answer: Parameters<AnswerCheck>[0]): string | undefined {
  const fault = check(answer)
  return fault === undefined ? undefined : `${answer.status} ${fault} ${answer.body.slice(0, 300)}`
}
