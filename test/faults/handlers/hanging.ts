import { setTimeout as wait } from "node:timers/promises"
import { type HandlerSet, recordedHandler } from "./recorded.ts"

/**
 * Handlers that do not heed their `abort`: `hang.forever` on `hang.**` never ends, `hang.late` on `late.**` ends long
 * after its timeout in its first attempt, by returning or, where the data say `throws`, by throwing. `order.work` is
 * a plain one. Options: `timeoutMs`, `lateMs`.
 */
export const handlers: HandlerSet = (tools) => {
  const { timeoutMs, lateMs } = {
    timeoutMs: Number(tools.options["timeoutMs"]),
    lateMs: Number(tools.options["lateMs"]),
  }
  const retry = { attempts: 2, backoff: { firstMs: 100, longestMs: 100 } }
  return [
    recordedHandler(tools, { name: "order.work", on: "order.**" }),
    recordedHandler(tools, { name: "hang.forever", on: "hang.**", timeoutMs, retry, run: () => new Promise(() => {}) }),
    recordedHandler(tools, {
      name: "hang.late",
      on: "late.**",
      timeoutMs,
      retry,
      run: async ({ attempt, signal }) => {
        if (attempt === 1) await wait(lateMs)
        if (attempt === 1 && (signal.data as { throws: boolean }).throws) throw new Error("too late")
      },
    }),
  ]
}
