import { isFleetPromptError } from "../../../src/errors.ts"
import type { JsonValue } from "../../../src/signal/json.ts"
import { cancel } from "../../../src/delivery/outcome.ts"
import { HOSTILE_PAYLOADS } from "../hostile-payloads.ts"
import { type HandlerSet, recordedHandler } from "./recorded.ts"

/** `hostile.emit` on `payload.asked` emits the payload whose name the data say; where that is refused, it is cancelled with the path. */
export const handlers: HandlerSet = (tools) => [
  recordedHandler(tools, {
    name: "hostile.emit",
    on: "payload.asked",
    run: async ({ signal, emit }) => {
      const { name } = signal.data as { readonly name: string }
      const payload = HOSTILE_PAYLOADS.find((each) => each.name === name)
      try {
        // Whatever it is: that is what is tried.
        await emit("payload.made", payload?.make() as JsonValue)
      } catch (error) {
        if (isFleetPromptError(error)) return cancel(`refused at ${error.path}`)
        throw error
      }
      return undefined
    },
  }),
]
