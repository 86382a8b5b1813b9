import { expect, test } from "vitest"
import { target } from "../../test/support/replay-rig.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import { Routes } from "./routes.ts"

/** Only what routes read of a signal. */
function signalOf(tenant: string, type: string): StoredSignal {
  return { tenant, type } as StoredSignal
}

function namesFor(routes: Routes, tenant: string, type: string): readonly string[] {
  return routes.route(signalOf(tenant, type)).map(({ name }) => name)
}

test("fixed targets are for all tenants, brought ones for their own, and the fixed go first", () => {
  const routes = new Routes([target("all", "issue.**")])
  routes.bring("acme", [target("triage.label", "issue.opened"), target("triage.close", "issue.closed")])
  routes.bring("globex", [target("triage.label", "issue.*")])
  expect(namesFor(routes, "acme", "issue.opened")).toEqual(["all", "triage.label"])
  expect(namesFor(routes, "acme", "issue.closed")).toEqual(["all", "triage.close"])
  expect(namesFor(routes, "globex", "issue.closed")).toEqual(["all", "triage.label"])
  expect(namesFor(routes, "initech", "issue.opened")).toEqual(["all"])
})

test("what is brought takes the place of all that the tenant had, also of types that came before", () => {
  const routes = new Routes([])
  routes.bring("acme", [target("triage.label", "issue.*")])
  expect(namesFor(routes, "acme", "issue.opened")).toEqual(["triage.label"])
  routes.bring("acme", [target("mail.send", "issue.opened")])
  expect(namesFor(routes, "acme", "issue.opened")).toEqual(["mail.send"])
  routes.bring("acme", [])
  expect([namesFor(routes, "acme", "issue.opened"), routes.names()]).toEqual([[], []])
})

test("names stand once, and who has one is told apart by tenant", () => {
  const routes = new Routes([target("all", "**")])
  routes.bring("acme", [target("triage.label", "issue.*")])
  routes.bring("globex", [target("triage.label", "issue.*")])
  expect(routes.names()).toEqual(["all", "triage.label"])
  expect(routes.names()).toBe(routes.names())
  expect([routes.has("acme", "triage.label"), routes.has("initech", "triage.label")]).toEqual([true, false])
  expect([routes.has("initech", "all"), routes.isFixed("all"), routes.isFixed("triage.label")]).toEqual([
    true,
    true,
    false,
  ])
})
