import type { Handler } from "../../../src/delivery/handler-definition.ts"
import { type HandlerSet, type HandlerTools, recordedHandler } from "./recorded.ts"

/**
 * `neighbour.work` on orders, which does nothing but its effect, and `loop.block` on `block.**`, whose first attempt
 * holds the event loop for `blockMs` before it does anything else. It tells the point `loop.block:blocks` before.
 */
export const handlers: HandlerSet = (tools) => [
  recordedHandler(tools, { name: "neighbour.work", on: "order.**" }),
  blocking(tools, recordedHandler(tools, { name: "loop.block", on: "block.**" })),
]

function blocking({ pass, options }: HandlerTools, handler: Handler): Handler {
  return {
    ...handler,
    run: (context) => {
      if (context.attempt === 1) {
        void pass("loop.block:blocks")
        for (const until = performance.now() + Number(options["blockMs"]); performance.now() < until;);
      }
      return handler.run(context)
    },
  }
}
