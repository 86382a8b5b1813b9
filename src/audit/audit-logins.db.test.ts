import { onTestFinished, expect, test } from "vitest"
import { makeLogins } from "../../test/isolation/logins.ts"
import { auditRig, entry } from "../../test/support/audit-rig.ts"
import { openServerDatabase } from "../store/server-database.ts"

test("a log is written, checked, pruned and resealed by logins that are no superusers, and the application's changes nothing", async () => {
  const { appUrl, ownerUrl } = await makeLogins()
  const database = await openServerDatabase({ connectionString: appUrl, ownerUrl, role: "engine" })
  onTestFinished(() => database.close())
  const { scope, log, append } = await auditRig(database, "acme")
  await append(entry(1), entry(2), entry(3))
  expect(await log.verify()).toMatchObject({ ok: true, signed: true, rows: 3 })
  const { entries } = await log.list()
  const { hash = "" } = entries.find(({ position }) => position === 2) ?? {}
  const by = { kind: "operator", id: "ops" } as const
  expect(await log.prune({ through: { position: 2, hash }, by, archive: "a" })).toBe(2)
  expect(await log.verify()).toMatchObject({ ok: true, rows: 2 })
  await log.reseal({ by, reason: "tried out" })
  expect(await log.verify()).toMatchObject({ ok: true, signed: true, rows: 3 })
  for (const role of ["login", "engine", { tenants: [scope] }] as const) {
    for (const text of [
      `update ${scope.schema}.audit_log set action = 'x'`,
      `delete from ${scope.schema}.audit_log`,
      `truncate ${scope.schema}.audit_log`,
      `alter table ${scope.schema}.audit_log disable trigger all`,
    ]) {
      const run = database.transaction(
        async (tx) => {
          await tx.query("select set_config('fleetprompt.audit_maintenance', 'on', true)")
          await tx.query(text)
        },
        { role },
      )
      await expect(run).rejects.toThrow(/permission denied|must be owner/)
    }
  }
})
