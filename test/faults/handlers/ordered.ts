import { setTimeout as wait } from "node:timers/promises"
import { type HandlerSet, recordedHandler } from "./recorded.ts"

/**
 * `order.write` on `order.**`, one after the other for each subject. A signal whose data say `fails: 2` throws in its
 * first two attempts; one that says `stuck: true` comes by the point `order.write:stuck`. Options: `workMs` of each
 * call; `ordered`, false to leave the order out.
 */
export const handlers: HandlerSet = (tools) => {
  const { workMs = 10, ordered = true } = tools.options
  return [
    recordedHandler(tools, {
      name: "order.write",
      on: "order.**",
      retry: { attempts: 20, backoff: { firstMs: 100, longestMs: 500 } },
      ...(ordered === true && { ordered: "subject" as const }),
      run: async ({ signal, attempt }) => {
        const { fails, stuck } = signal.data as { readonly fails: number; readonly stuck?: boolean }
        await wait(Number(workMs))
        if (stuck) await tools.pass("order.write:stuck")
        if (attempt <= fails) throw new Error(`attempt ${attempt} of ${fails} that fail`)
      },
    }),
  ]
}
