import { createBus } from "../bus/bus-in-process.ts"
import { acceptSignal } from "../bus/bus-input.ts"
import type { ContractRunner } from "../contract-runner.ts"
import type { DispatchHookContext, DispatchOutcome, DispatchPath, Middleware, PublishOutcome } from "./middleware.ts"
import { createSignal, type Signal } from "../signal.ts"

/** Makes a new middleware for one test. */
export type CreateMiddleware = () => Middleware | Promise<Middleware>

/**
 * Registers the tests that all middleware must pass: hooks answer with verdicts, leave signals as they
 * are, and hold up on every path. The runner's functions are passed in, so that nothing here depends on one.
 *
 * @example
 * import { expect, test } from "vitest"
 * import { middlewareContract, rateLimit } from "fleetprompt/signal"
 *
 * middlewareContract("rate limit", () => rateLimit({ limit: 10, windowMs: 1_000 }), { test, expect })
 */
export function middlewareContract(name: string, create: CreateMiddleware, runner: ContractRunner): void {
  const context: Context = {
    expect: runner.expect,
    contractTest: (title, run) => void runner.test(`${name}: ${title}`, async () => run(await create())),
  }
  verdictContract(context)
  afterContract(context)
  busContract(context)
}

interface Context {
  readonly expect: ContractRunner["expect"]
  readonly contractTest: (title: string, run: (middleware: Middleware) => Promise<void>) => void
}

const PATHS: readonly DispatchPath[] = ["publish", "persistent", "redrive", "replay", "snapshot"]
const SAMPLES: readonly Signal[] = [
  createSignal({ type: "lead.received", source: "/crm", data: { leadId: "1", tags: ["a", { deep: true }] } }),
  createSignal({ type: "a", source: "/x", data: null }),
  createSignal({ type: "text.sent", source: "/x", subject: "text:1", data: "plain", flag: true, count: 7 }),
]

function verdictContract({ expect, contractTest }: Context): void {
  contractTest("beforePublish answers with a verdict and leaves the signal as it is", async (middleware) => {
    for (const signal of SAMPLES) {
      const copy = structuredClone(signal)
      const answer: unknown = await middleware.beforePublish?.(signal, { principal: undefined })
      expect(faultOf(answer, signal)).toEqual(undefined)
      expect(signal).toEqual(copy)
    }
  })

  contractTest("beforeDispatch answers with a verdict on every path", async (middleware) => {
    for (const path of PATHS) {
      for (const signal of SAMPLES) {
        const copy = structuredClone(signal)
        const answer: unknown = await middleware.beforeDispatch?.(signal, contextOf(path))
        expect(faultOf(answer, signal)).toEqual(undefined)
        expect(signal).toEqual(copy)
      }
    }
  })
}

function afterContract({ expect, contractTest }: Context): void {
  contractTest("afterPublish takes every outcome", async (middleware) => {
    const context = { principal: undefined }
    for (const outcome of publishOutcomes()) {
      await middleware.beforePublish?.(sample(), context)
      expect(await faultIn(() => middleware.afterPublish?.(sample(), outcome, context))).toEqual(undefined)
    }
  })

  contractTest("afterDispatch takes every outcome on every path", async (middleware) => {
    for (const path of PATHS) {
      for (const outcome of dispatchOutcomes()) {
        const context = contextOf(path)
        await middleware.beforeDispatch?.(sample(), context)
        expect(await faultIn(() => middleware.afterDispatch?.(sample(), outcome, context))).toEqual(undefined)
      }
    }
  })

  contractTest("after hooks take a dispatch whose before hook they have not seen", async (middleware) => {
    const [outcome] = dispatchOutcomes()
    if (!outcome) return
    expect(await faultIn(() => middleware.afterDispatch?.(sample(), outcome, contextOf("publish")))).toEqual(undefined)
  })
}

function busContract({ expect, contractTest }: Context): void {
  contractTest("a bus that has it reports no fault of it, on any path", async (middleware) => {
    const faults: unknown[] = []
    const bus = createBus({
      middleware: [middleware],
      onError: (error, { kind }) => {
        if (kind === "middleware" && isFaultOf(error)) faults.push(error)
      },
    })
    bus.subscribe("**", () => {})
    bus.subscribe("**", (_signal, { nack }) => void nack("no"), {
      persistent: true,
      id: "refuses",
      retry: { maxAttempts: 1 },
    })
    await Promise.allSettled(SAMPLES.map((signal) => bus.publish(signal)))
    bus.redrive("refuses")
    await Promise.allSettled([bus.replay(), bus.snapshot()])
    await bus.close()
    expect(faults).toEqual([])
  })

  contractTest("signals that it lets through stay in order", async (middleware) => {
    const bus = createBus({ middleware: [middleware], onError: () => {} })
    const got: unknown[] = []
    bus.subscribe("**", ({ data }) => got.push(data))
    const signals = Array.from({ length: 20 }, (_, n) => createSignal({ type: "order.kept", source: "/x", data: n }))
    await Promise.allSettled(signals.map((signal) => bus.publish(signal)))
    await bus.close()
    expect(got).toEqual(got.toSorted((a, b) => Number(a) - Number(b)))
  })
}

/** What is wrong with the answer of a `before` hook. */
function faultOf(answer: unknown, given: Signal): string | undefined {
  if (answer === undefined) return undefined
  if (typeof answer !== "object" || answer === null) return `answered ${String(answer)}, which is no verdict`
  if (!("specversion" in answer)) return "kind" in answer ? undefined : "answered an object that is no verdict"
  try {
    return acceptSignal(answer).id === given.id ? undefined : "went on with a signal of another id"
  } catch (error) {
    return `went on with a signal that is not valid: ${String(error)}`
  }
}

async function faultIn(run: () => unknown): Promise<unknown> {
  try {
    await run()
    return undefined
  } catch (error) {
    return error
  }
}

/** A refusal is an answer; what only a broken hook brings about is a fault. */
function isFaultOf(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  return code === undefined || code === "middleware_invalid" || code === "middleware_timeout"
}

function sample(): Signal {
  return createSignal({ type: "lead.received", source: "/crm", data: { leadId: "1" } })
}

function contextOf(path: DispatchPath): DispatchHookContext {
  return { path, subscription: "s1", pattern: "**", principal: undefined, attempt: 1 }
}

function publishOutcomes(): readonly PublishOutcome[] {
  const counts = { matched: 1, delivered: 1, queued: 0, failed: 0, skipped: 0 }
  return [
    { kind: "published", ...counts, durationMs: 1 },
    { kind: "skipped", reason: "left out", durationMs: 0 },
    { kind: "halted", error: new Error("refused"), durationMs: 0 },
  ]
}

function dispatchOutcomes(): readonly DispatchOutcome[] {
  return [
    { kind: "delivered", durationMs: 1 },
    { kind: "failed", error: new Error("no"), final: false, durationMs: 1 },
    { kind: "failed", error: null, final: true, durationMs: 1 },
    { kind: "skipped", reason: "passed by", durationMs: 0 },
    { kind: "halted", error: new Error("refused"), final: true, durationMs: 0 },
  ]
}
