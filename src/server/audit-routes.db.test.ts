import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { principalOfTest, sendAs } from "../../test/support/http-people.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet } from "../../test/support/test-fleet.ts"
import { appendAudit } from "../audit/append-audit.ts"
import { verifyAuditExport } from "../audit/verify-export.ts"
import type { Principal, Role } from "../access/principal.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { createFetchHandler } from "./fetch-handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

async function fleetWithEntries(count: number) {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  const scope = tenantScope(tenant.slug)
  const actor = { kind: "user", id: "ada", role: "owner" } as const
  const entries = Array.from({ length: count }, (_, n) => ({ action: "member.add", resource: `member:${n}`, actor }))
  await withinTenant(db.database, scope, (tx) => appendAudit(tx, scope, entries))
  const as = (role: Role): Principal => ({ kind: "user", id: "1", tenant: tenant.slug, role })
  return { fleet, tenant, as, send: sendAs(fleet) }
}

test("the log is read by pages and filters", async () => {
  const { as, send } = await fleetWithEntries(3)
  const page = await send(as("admin"), "GET", "/v1/audit?limit=2&action=member.**")
  expect(page).toMatchObject({ status: 200, body: { entries: [{ position: 3 }, { position: 2 }], next: 2 } })
  expect(await send(as("admin"), "GET", "/v1/audit?before=2")).toMatchObject({
    body: { entries: [{ position: 1 }], next: null },
  })
  expect(await send(as("admin"), "GET", "/v1/audit?limit=x")).toMatchObject({ status: 422 })
  expect((await send(as("member"), "GET", "/v1/audit")).status).toBe(403)
})

test("the head is signed, and a check tells how the log stands", async () => {
  const { tenant, as, send } = await fleetWithEntries(3)
  expect(await send(as("owner"), "GET", "/v1/audit/head")).toMatchObject({
    status: 200,
    body: { tenant: tenant.slug, position: 3, signature: expect.any(String) },
  })
  expect(await send(as("owner"), "POST", "/v1/audit/verify")).toMatchObject({
    status: 200,
    body: { ok: true, signed: true, rows: 3 },
  })
})

test("an export is checked by the public key", async () => {
  const { fleet, tenant, as } = await fleetWithEntries(3)
  const handler = createFetchHandler(fleet, { authenticate: principalOfTest })
  onTestFinished(() => handler.close())
  const headers = { "x-test-principal": JSON.stringify(as("owner")) }
  const response = await handler.fetch(new Request("http://localhost:4400/v1/audit/export", { headers }))
  expect(response.headers.get("content-type")).toBe("application/jsonl")
  if (!response.body) throw new Error("no body")
  const report = await verifyAuditExport(response.body, { trusted: [(await fleet.auditPublicKey()) ?? ""] })
  expect(report).toMatchObject({ ok: true, tenant: tenant.slug, rows: 3 })
  const wrong = await handler.fetch(new Request("http://localhost:4400/v1/audit/export?after=1", { headers }))
  expect(wrong.status).toBe(400)
})

test("nobody reads another tenant's log", async () => {
  const { send } = await fleetWithEntries(1)
  const stranger: Principal = { kind: "user", id: "2", tenant: "nobody_here", role: "owner" }
  expect((await send(stranger, "GET", "/v1/audit")).status).toBe(404)
})
