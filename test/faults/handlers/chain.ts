import { type HandlerSet, recordedHandler } from "./recorded.ts"

/** Orders cause `step.one`, which causes `step.two`: `chain.first`, `chain.second`, and `chain.last`, which emits nothing. */
export const handlers: HandlerSet = (tools) => [
  recordedHandler(tools, {
    name: "chain.first",
    on: "order.**",
    run: async ({ emit }) => void (await emit("step.one", {})),
  }),
  recordedHandler(tools, {
    name: "chain.second",
    on: "step.one",
    run: async ({ emit }) => void (await emit("step.two", {})),
  }),
  recordedHandler(tools, { name: "chain.last", on: "step.two" }),
]
