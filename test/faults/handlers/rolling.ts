import { setTimeout as wait } from "node:timers/promises"
import { type HandlerSet, recordedHandler } from "./recorded.ts"

/** Two versions of an app, by the option `version`: `order.work` on orders, which takes 100 ms, and from version 2 on `extra.work` on `extra.**`. */
export const handlers: HandlerSet = (tools) => {
  const version = Number(tools.options["version"])
  const orders = recordedHandler(tools, {
    name: "order.work",
    on: "order.**",
    version,
    run: () => wait(100),
  })
  return version < 2 ? [orders] : [orders, recordedHandler(tools, { name: "extra.work", on: "extra.**", version })]
}
