import { setTimeout as wait } from "node:timers/promises"
import { type HandlerSet, recordedHandler } from "./recorded.ts"

/** `quick.work` on `order.**` does nothing but its effect, `slow.work` on `slow.**` waits for `slowMs` before. */
export const handlers: HandlerSet = (tools) => [
  recordedHandler(tools, { name: "quick.work", on: "order.**" }),
  recordedHandler(tools, { name: "slow.work", on: "slow.**", run: () => wait(Number(tools.options["slowMs"])) }),
]
