import { type HandlerSet, recordedHandler } from "./recorded.ts"

/**
 * One handler of all orders, `ledger.write`, which does nothing but its effect. Options: `attempts`, `timeoutMs`,
 * `version`, as `defineHandler` takes them.
 */
export const handlers: HandlerSet = (tools) => {
  const { attempts = 5, timeoutMs = 60_000, version = 1 } = tools.options
  return [
    recordedHandler(tools, {
      name: "ledger.write",
      on: "order.**",
      version: Number(version),
      timeoutMs: Number(timeoutMs),
      retry: { attempts: Number(attempts) },
    }),
  ]
}
