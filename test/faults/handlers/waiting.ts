import { snooze } from "../../../src/delivery/outcome.ts"
import { type HandlerSet, recordedHandler } from "./recorded.ts"

/**
 * Handlers whose work is put off by `waitMs` of the options: `wait.delayed` on `delay.**` by its delay, `wait.snoozed`
 * on `snooze.**` by its own wish, `wait.failed` on `fail.**` since its first attempt throws. Orders are written at
 * once, by `ledger.write`.
 */
export const handlers: HandlerSet = (tools) => {
  const waitMs = Number(tools.options["waitMs"])
  const isFirst = async (signalId: string): Promise<boolean> =>
    (await tools.ledger?.query("select 1 from invocations where signal_id = $1 limit 2", [signalId]))?.length === 1
  return [
    recordedHandler(tools, { name: "ledger.write", on: "order.**" }),
    recordedHandler(tools, { name: "wait.delayed", on: "delay.**", delayMs: waitMs }),
    recordedHandler(tools, {
      name: "wait.snoozed",
      on: "snooze.**",
      run: async ({ signal }) => ((await isFirst(signal.id)) ? snooze(waitMs) : undefined),
    }),
    recordedHandler(tools, {
      name: "wait.failed",
      on: "fail.**",
      retry: { backoff: () => waitMs },
      run: ({ attempt }) => {
        if (attempt === 1) throw new Error("not yet")
      },
    }),
  ]
}

/** Types of signals whose work is put off. */
export const WAITING_TYPES = ["delay.asked", "snooze.asked", "fail.asked"] as const
