import { expect, test } from "vitest"
import { createFleet } from "../fleet.ts"

const { directives, packages } = createFleet()
const of = { tenant: "No Slug" }
const id = "0198a0b0-0000-7000-8000-00000000000a"

test.each<readonly [string, () => Promise<unknown>]>([
  ["directives.request", () => directives.request("a.b", {}, of)],
  ["directives.get", () => directives.get(id, of)],
  ["directives.list", () => directives.list(of)],
  ["directives.cancel", () => directives.cancel(id, of)],
  ["directives.approve", () => directives.approve(id, of)],
  ["directives.reject", () => directives.reject(id, of)],
  ["directives.rerun", () => directives.rerun(id, of)],
  ["directives.wait", () => directives.wait(id, of)],
  ["directives.trail", () => directives.trail(id, of)],
  ["packages.plan", () => packages.plan(of.tenant, { slug: "labels" })],
])("%s rejects a slug that is none, and throws nothing at who calls", async (_name, call) => {
  await expect(call().catch((error: unknown) => error)).resolves.toMatchObject({ code: "tenant_invalid" })
})
