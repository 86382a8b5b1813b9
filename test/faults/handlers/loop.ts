import { type HandlerSet, recordedHandler } from "./recorded.ts"

/**
 * Handlers that cause each other: `loop.a` on `a.asked` emits `b.asked`, `loop.b` on that emits `a.asked`, and
 * `loop.self` on `self.asked` emits the same again. `ledger.write` on orders does no such thing.
 */
export const handlers: HandlerSet = (tools) => {
  const emits = (name: string, on: string, next: string) =>
    recordedHandler(tools, {
      name,
      on,
      retry: { attempts: 2, backoff: { firstMs: 50, longestMs: 50 } },
      run: async ({ emit }) => void (await emit(next, {})),
    })
  return [
    recordedHandler(tools, { name: "ledger.write", on: "order.**" }),
    emits("loop.a", "a.asked", "b.asked"),
    emits("loop.b", "b.asked", "a.asked"),
    emits("loop.self", "self.asked", "self.asked"),
  ]
}
