import { expect, test } from "vitest"
import { keepRequest } from "./keep-request.ts"

const rules = {
  worker: "host:1",
  leaseMs: 12_000,
  handlers: [
    { name: "quick", timeoutMs: 6_000 },
    { name: "slow", timeoutMs: 60_000 },
  ],
}

test("leases are kept for as long as a handler may run, and a lease more", () => {
  const kept = [35, 36, 143, 144].map((looks) => keepRequest({ looks, blamed: undefined }, rules).handlers)
  expect(kept).toEqual([["quick", "slow"], ["slow"], ["slow"], []])
})

test("of two handlers of one name the longer timeout counts, and the name stands once", () => {
  const handlers = [
    { name: "same", timeoutMs: 6_000 },
    { name: "same", timeoutMs: 60_000 },
  ]
  const kept = [0, 36, 144].map((looks) => keepRequest({ looks, blamed: undefined }, { ...rules, handlers }).handlers)
  expect(kept).toEqual([["same"], ["same"], []])
})

test("the call to blame is left out", () => {
  const blamed = { serial: 1, handler: 1, signalIds: ["a", "b"] }
  expect(keepRequest({ looks: 12, blamed }, rules)).toEqual({
    worker: "host:1",
    leaseMs: 12_000,
    handlers: ["quick", "slow"],
    except: { handler: "slow", signalIds: ["a", "b"] },
  })
})
