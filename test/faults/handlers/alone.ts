import { type HandlerSet, recordedHandler } from "./recorded.ts"

/** One handler, `alone.work` on `alone.**`, with one attempt: for work that no other process of a scenario takes. */
export const handlers: HandlerSet = (tools) => [
  recordedHandler(tools, { name: "alone.work", on: "alone.**", retry: { attempts: 1 } }),
]
