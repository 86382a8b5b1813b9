import { setTimeout as wait } from "node:timers/promises"
import { type HandlerSet, recordedHandler } from "./recorded.ts"

/**
 * `short.job` on `short.**`, which takes 200 ms, and `long.job` on `long.**`, which takes `longMs` and ends sooner
 * when it is told to stop.
 */
export const handlers: HandlerSet = (tools) => [
  recordedHandler(tools, { name: "short.job", on: "short.**", run: () => wait(200) }),
  recordedHandler(tools, {
    name: "long.job",
    on: "long.**",
    timeoutMs: 3_600_000,
    run: ({ abort }) => wait(Number(tools.options["longMs"]), undefined, { signal: abort }).catch(() => {}),
  }),
]
