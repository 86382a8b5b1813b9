import { type HandlerSet, recordedHandler } from "./recorded.ts"

/**
 * Two handlers of which the first causes the second: `invoice.make` on `order.**` emits `invoice.made`, and
 * `invoice.send` on `invoice.**` does nothing but its effect. Option: `attempts`, 5 unless it is given.
 */
export const handlers: HandlerSet = (tools) => {
  const retry = { attempts: Number(tools.options["attempts"] ?? 5), backoff: { firstMs: 100, longestMs: 1_000 } }
  return [
    recordedHandler(tools, {
      name: "invoice.make",
      on: "order.**",
      retry,
      run: async ({ emit, signal }) => void (await emit("invoice.made", { order: signal.id })),
    }),
    recordedHandler(tools, { name: "invoice.send", on: "invoice.**", retry }),
  ]
}
