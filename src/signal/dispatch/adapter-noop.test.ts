import { expect, test } from "vitest"
import { noopAdapter } from "./adapter-noop.ts"
import { createSignal } from "../signal.ts"

test("it takes any options and any signal, and does nothing", () => {
  const adapter = noopAdapter()
  const options = adapter.validate({ to: "noop", url: "https://a.example", retry: { maxAttempts: 3 } })
  const context = { abort: new AbortController().signal, attempt: 1 }
  expect(adapter.deliver(createSignal({ type: "a.b", source: "/x" }), options, context)).toBeUndefined()
})
