import { expect, test } from "vitest"
import { normalise } from "./normalise.ts"
import { tenantGuard } from "./tenant.ts"

test("lets a candidate with a tenant through as it is", () => {
  const candidate = normalise("acme", "lead.received", {}, {})
  expect(tenantGuard(candidate)).toBe(candidate)
})

test.each(["", "Acme", "public", "acme\n", 'acme"; drop schema public; --'])("refuses the tenant %o", (tenant) => {
  const candidate = normalise(tenant, "lead.received", {}, {})
  expect(() => tenantGuard(candidate)).toThrow(expect.objectContaining({ code: "tenant_invalid", path: "tenant" }))
})

test("refuses a candidate without a tenant", () => {
  const { tenant: _, ...rest } = normalise("acme", "lead.received", {}, {})
  // What a caller without types can pass.
  const candidate = rest as ReturnType<typeof normalise>
  expect(() => tenantGuard(candidate)).toThrow(expect.objectContaining({ code: "tenant_invalid" }))
})
