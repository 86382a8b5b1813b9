import { type HandlerSet, recordedHandler } from "./recorded.ts"

/**
 * Handlers that need every statement of a worker: `step.first` on orders emits `step.made`, which its own process
 * runs; `step.second` on `step.made`; `step.fails` on orders fails in its first attempt; `step.limited` and
 * `step.keyed` have limits in all processes together. They may be lost as often as it takes.
 */
export const handlers: HandlerSet = (tools) => {
  const retry = { attempts: 1_000, backoff: { firstMs: 50, longestMs: 50 } }
  return [
    recordedHandler(tools, {
      name: "step.first",
      on: "order.**",
      retry,
      run: async ({ emit, signal }) => void (await emit("step.made", { of: signal.id })),
    }),
    recordedHandler(tools, { name: "step.second", on: "step.made", retry }),
    recordedHandler(tools, {
      name: "step.fails",
      on: "order.**",
      retry,
      run: async ({ attempt }) => {
        if (attempt === 1) throw new Error("the first attempt is to fail")
      },
    }),
    recordedHandler(tools, {
      name: "step.limited",
      on: "order.**",
      retry,
      concurrency: { global: 20 },
      rateLimit: { limit: 1_000, perMs: 1_000 },
    }),
    recordedHandler(tools, { name: "step.keyed", on: "order.**", retry, ordered: "subject" }),
  ]
}
