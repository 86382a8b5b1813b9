import { afterAll, beforeAll, expect, test } from "vitest"
import { auditRig, entry } from "../../test/support/audit-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import { checkAudit } from "./doctor-audit.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

test("audit entries that wait for more than a minute are told of", async () => {
  const { scope, append } = await auditRig(db.database, testSlug())
  const look = () => checkAudit({ database: db.database, state: { isSetUp: true } })
  await append(entry(1))
  expect(await look()).toMatchObject([{ check: "audit", status: "ok" }])
  await db.database.owner.transaction((tx) =>
    tx.query("update fleetprompt.audit_intake set occurred_at = now() - interval '5 minutes' where tenant = $1", [
      scope.slug,
    ]),
  )
  expect(await look()).toMatchObject([{ status: "warning", detail: expect.stringContaining("up to 5 min") }])
})
