import { setTimeout as wait } from "node:timers/promises"
import type { Handler, HandlerContext } from "../../../src/delivery/handler-definition.ts"
import { cancel } from "../../../src/delivery/outcome.ts"
import { type HandlerSet, type HandlerTools, recordedHandler } from "./recorded.ts"

/** Handlers that end their process, each in its way. */
export const KILLERS: Readonly<Record<string, () => unknown>> = {
  exit: () => process.exit(3),
  memory: () => {
    for (const kept: unknown[] = []; ;) kept.push(Array.from({ length: 10_000 }, () => ({})))
  },
  rejection: () => {
    void Promise.reject(new Error("nobody waits for me"))
    return new Promise(() => {})
  },
}

/** Handlers that throw what is hard to keep. */
export const THROWERS: Readonly<Record<string, () => unknown>> = {
  stack: function deeper(): unknown {
    return [deeper()]
  },
  nothing: () => {
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- anything can be thrown.
    throw null
  },
  getter: () => {
    const trap = { get: () => fail("so does its getter") }
    throw Object.defineProperties(new Error(), { message: trap, stack: trap, name: trap, code: trap, cause: trap })
  },
  message: () => fail("m".repeat(50_000_000)),
}

function fail(message: string): never {
  throw new Error(message)
}

/**
 * `kill.<kind>` and `throw.<kind>` on signals of that type, and their neighbours: `quick.work` on `quick.**` and
 * `slow.work` on `slow.**`, which takes a second. All have as many attempts. Options: `attempts`.
 */
export const handlers: HandlerSet = (tools) => [
  recordedHandler(tools, { name: "quick.work", on: "quick.**", retry: retryOf(tools) }),
  recordedHandler(tools, {
    name: "slow.work",
    on: "slow.**",
    retry: retryOf(tools),
    run: () => wait(1_000),
  }),
  ...Object.entries(KILLERS).map(([kind, run]) => poison(tools, `kill.${kind}`, run)),
  ...Object.entries(THROWERS).map(([kind, run]) => poison(tools, `throw.${kind}`, run)),
]

/** What the poison does is not for the ledger to catch: there, the call begins and is cancelled, so that it has no effect. */
function poison(tools: HandlerTools, name: string, run: () => unknown): Handler {
  const recorded = recordedHandler(tools, { name, on: name, retry: retryOf(tools), run: async () => cancel("poison") })
  return {
    ...recorded,
    run: async (context: HandlerContext) => {
      await recorded.run(context)
      return run()
    },
  }
}

function retryOf({ options }: HandlerTools) {
  return { attempts: Number(options["attempts"]), backoff: { firstMs: 100, longestMs: 100 } }
}
