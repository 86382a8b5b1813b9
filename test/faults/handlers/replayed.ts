import { type HandlerSet, recordedHandler } from "./recorded.ts"

/** On orders: `replay.work`, which emits a fact for each, and `replay.mail`, which a replay must not run. */
export const handlers: HandlerSet = (tools) => [
  recordedHandler(tools, {
    name: "replay.work",
    on: "order.**",
    run: async ({ emit, signal }) => void (await emit("work.done", { of: signal.id })),
  }),
  recordedHandler(tools, { name: "replay.mail", on: "order.**", replay: "skip" }),
]
