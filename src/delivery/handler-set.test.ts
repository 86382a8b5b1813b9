import { expect, test } from "vitest"
import { defineHandler } from "./handler.ts"
import type { Handler } from "./handler-definition.ts"
import { HandlerSet } from "./handler-set.ts"

const handler = (name: string): Handler => defineHandler({ name, on: "**", run: () => {} })

test("fixed handlers are everybody's, brought ones their tenant's", () => {
  const fixed = handler("own")
  const [ofAcme, ofGlobex] = [handler("triage.label"), handler("triage.label")]
  const set = new HandlerSet([fixed])
  set.bring([
    { tenant: "acme", name: "triage.label", handler: ofAcme },
    { tenant: "globex", name: "triage.label", handler: ofGlobex },
  ])
  expect([set.get("own", "acme"), set.get("own", "initech")]).toEqual([fixed, fixed])
  expect(set.get("triage.label", "acme")).toBe(ofAcme)
  expect(set.get("triage.label", "globex")).toBe(ofGlobex)
  expect(set.get("triage.label", "initech")).toBeUndefined()
  expect([set.names(), set.size]).toEqual([["own", "triage.label"], 2])
})

test("a name goes with the last tenant that has it", () => {
  const set = new HandlerSet([])
  const bring = (tenant: string, given: Handler | undefined): void =>
    set.bring([{ tenant, name: "triage.label", handler: given }])
  bring("acme", handler("triage.label"))
  bring("globex", handler("triage.label"))
  bring("acme", undefined)
  expect([set.get("triage.label", "acme"), set.names()]).toEqual([undefined, ["triage.label"]])
  bring("globex", undefined)
  expect([set.names(), set.size]).toEqual([[], 0])
})

test("what is brought takes no fixed handler's place", () => {
  const fixed = handler("own.one")
  const set = new HandlerSet([fixed])
  set.bring([{ tenant: "acme", name: "own.one", handler: handler("own.one") }])
  expect([set.get("own.one", "acme"), set.names()]).toEqual([fixed, ["own.one"]])
})

test("each handler is marked once, however often it is brought", () => {
  const marked: string[] = []
  const set = new HandlerSet([handler("own")], (given) => {
    marked.push(given.name)
    return { ...given, timeoutMs: 7 }
  })
  const brought = handler("triage.label")
  for (const tenant of ["acme", "globex", "acme"]) set.bring([{ tenant, name: "triage.label", handler: brought }])
  expect(marked).toEqual(["own", "triage.label"])
  expect([set.get("own", "acme")?.timeoutMs, set.get("triage.label", "globex")?.timeoutMs]).toEqual([7, 7])
})

test("the list of names is made anew only when something was brought", () => {
  const set = new HandlerSet([handler("own")])
  const before = set.names()
  expect(set.names()).toBe(before)
  set.bring([{ tenant: "acme", name: "triage.label", handler: handler("triage.label") }])
  expect(set.names()).toEqual(["own", "triage.label"])
})
