import { type HandlerSet, recordedHandler } from "./recorded.ts"

/** The plain handler of all orders, and one of `limited.**` that is claimed under a lock since it has a limit. */
export const handlers: HandlerSet = (tools) => [
  recordedHandler(tools, { name: "ledger.write", on: "order.**" }),
  recordedHandler(tools, { name: "ledger.limited", on: "limited.**", concurrency: { perTenant: 10 } }),
]
