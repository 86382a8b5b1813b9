import { expect, test } from "vitest"
import { consoleAdapter } from "./adapter-console.ts"
import { loggerAdapter } from "./adapter-logger.ts"
import { namedAdapter } from "./adapter-named.ts"
import { noopAdapter } from "./adapter-noop.ts"
import { topicAdapter } from "./adapter-topic.ts"
import type { DispatchAdapter } from "./dispatch-adapter.ts"
import { dispatchContract, type DispatchFixture } from "./dispatch-contract.ts"
import { DispatchError } from "./dispatch-error.ts"
import type { Signal } from "../signal.ts"
import { createTargets } from "./targets.ts"
import { createTopics } from "./topics.ts"

dispatchContract("noop", () => ({ adapter: noopAdapter(), options: {} }), { test, expect })

dispatchContract(
  "named",
  () => {
    const targets = createTargets()
    const received: Signal[] = []
    targets.register("billing", (signal) => received.push(signal))
    return {
      adapter: namedAdapter({ targets }),
      options: { target: "billing" },
      invalid: [{}, { target: 7 }, { target: "billing", other: true }],
      received: () => received,
      failing: { target: "nobody" },
    }
  },
  { test, expect },
)

dispatchContract(
  "topic",
  () => {
    const topics = createTopics()
    const received: Signal[] = []
    topics.subscribe("leads", (signal) => void received.push(signal))
    return {
      adapter: topicAdapter({ topics }),
      options: { topic: "leads" },
      invalid: [{}, { topic: "" }],
      received: () => received,
    }
  },
  { test, expect },
)

dispatchContract(
  "logger",
  () => {
    const ignore = () => {}
    return {
      adapter: loggerAdapter({ logger: { debug: ignore, info: ignore, warn: ignore, error: ignore } }),
      options: { level: "debug" },
      invalid: [{ level: "loud" }],
    }
  },
  { test, expect },
)

dispatchContract("console", () => ({ adapter: consoleAdapter({ print: () => {} }), options: {} }), { test, expect })

/** Runs the contract and returns the titles of the tests that fail. */
async function failuresOf(create: () => DispatchFixture): Promise<readonly string[]> {
  const tests: [string, () => Promise<void>][] = []
  dispatchContract("x", create, { test: (name, run) => tests.push([name, run]), expect })
  const failed: string[] = []
  for (const [name, run] of tests) await run().catch(() => failed.push(name.slice(3)))
  return failed
}

function fixtureOf(adapter: Partial<DispatchAdapter>, more: Partial<DispatchFixture> = {}): DispatchFixture {
  const received: Signal[] = []
  const base: DispatchAdapter = {
    name: "good",
    validate: (options) => {
      if (!("key" in options)) throw new DispatchError("dispatch_invalid", "expected a key")
      return options
    },
    deliver: (signal) => void received.push(signal),
  }
  return { adapter: { ...base, ...adapter }, options: { key: "s3cret" }, received: () => received, ...more }
}

test("the contract is content with a good adapter", async () => {
  expect(await failuresOf(() => fixtureOf({}, { invalid: [{}], secrets: ["s3cret"] }))).toEqual([])
  const failing = () =>
    fixtureOf({ deliver: () => Promise.reject(new DispatchError("dispatch_gone", "gone")) }, { failing: { key: "1" } })
  expect(await failuresOf(failing)).not.toContainEqual(expect.stringMatching(/says with a code/))
  const hanging = () => fixtureOf({ deliver: untilAborted }, { hanging: { key: "hang" } })
  expect(await failuresOf(hanging)).not.toContainEqual(expect.stringMatching(/stops/))
})

test.each<[what: string, create: () => DispatchFixture, title: RegExp]>([
  ["has a malformed name", () => fixtureOf({ name: "Bad Name" }), /name/],
  ["takes wrong options", () => fixtureOf({ validate: () => ({}) }, { invalid: [{}] }), /refuses wrong options/],
  [
    "shows a secret",
    () => fixtureOf({ validate: tellAll }, { invalid: [{ key: "s3cret" }], secrets: ["s3cret"] }),
    /refuses wrong options/,
  ],
  [
    "changes its options",
    () => fixtureOf({ validate: (options) => Object.assign(options, { more: 1 }) }),
    /without changing/,
  ],
  ["loses signals", () => fixtureOf({ deliver: () => {} }), /hands a signal on/],
  ["hides a failure", () => fixtureOf({ deliver: () => {} }, { failing: { key: "1" } }), /says with a code/],
  ["does not stop", () => fixtureOf({ deliver: () => {} }, { hanging: { key: "1" } }), /stops/],
])("the contract notices an adapter that %s", async (_, create, title) => {
  expect(await failuresOf(create)).toContainEqual(expect.stringMatching(title))
})

function tellAll({ key }: Readonly<Record<string, unknown>>): never {
  throw new DispatchError("dispatch_invalid", `expected a key, got ${String(key)}`)
}

const untilAborted: DispatchAdapter["deliver"] = async (_signal, options, { abort }) => {
  // What fixtureOf gives as options.
  if ((options as { key: string }).key !== "hang") return
  await new Promise((_, reject) => {
    abort.addEventListener("abort", () => reject(new Error("aborted")))
  })
}
