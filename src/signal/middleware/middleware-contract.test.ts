import { expect, test } from "vitest"
import { type Middleware, skip } from "./middleware.ts"
import { middlewareContract } from "./middleware-contract.ts"

middlewareContract("middleware that does nothing", () => ({}), { test, expect })
middlewareContract(
  "middleware that leaves all out",
  () => ({ beforePublish: () => skip(), beforeDispatch: () => skip() }),
  {
    test,
    expect,
  },
)

/** Runs the contract and returns the titles of the tests that fail. */
async function failuresOf(create: () => Middleware): Promise<readonly string[]> {
  const tests: [string, () => Promise<void>][] = []
  middlewareContract("x", create, { test: (name, run) => tests.push([name, run]), expect })
  const failed: string[] = []
  for (const [name, run] of tests) await run().catch(() => failed.push(name.slice(3)))
  return failed
}

const swapped: Middleware = {
  beforePublish: (signal) => ({ ...signal, id: "another" }),
}

// What middleware without types may do.
const denying = { beforeDispatch: () => false } as unknown as Middleware

const fragile: Middleware = {
  afterDispatch: (_, outcome) => {
    if (outcome.kind === "failed") throw outcome.error
  },
}

let turns = 0
const overtaking: Middleware = {
  beforePublish: async () => {
    for (let n = 20; n > turns; n--) await Promise.resolve()
    turns++
  },
}

test.each([
  ["goes on with another id", swapped, /beforePublish answers/],
  ["answers what is no verdict", denying, /beforeDispatch answers/],
  ["throws after a failure", fragile, /afterDispatch takes/],
])("the contract notices middleware that %s", async (_, middleware, title) => {
  expect(await failuresOf(() => middleware)).toContainEqual(expect.stringMatching(title))
})

test("the bus keeps the order whatever middleware does", async () => {
  expect(await failuresOf(() => overtaking)).toEqual([])
})
