import type { Handler } from "../../../src/delivery/handler-definition.ts"
import type { JsonObject } from "../../../src/signal/json.ts"
import type { HandlerSet, HandlerTools } from "./recorded.ts"

/** Names a set of handlers: a file of this folder, with options for it. */
export interface HandlerSetRef {
  readonly set: string
  readonly options?: JsonObject
}

/** The handlers of a set, made with a process's tools. */
export async function loadHandlers(
  { set, options = {} }: HandlerSetRef,
  tools: Omit<HandlerTools, "options">,
): Promise<readonly Handler[]> {
  if (!/^[a-z][a-z0-9-]*$/.test(set)) throw new Error(`expected the name of a file in test/faults/handlers, got ${set}`)
  const { handlers } = (await import(`./${set}.js`)) as { readonly handlers: HandlerSet }
  return handlers({ ...tools, options })
}

/** The handlers of a set, to be looked at and not to be run. */
export function lookAtHandlers(ref: HandlerSetRef): Promise<readonly Handler[]> {
  return loadHandlers(ref, { ledger: undefined, workerName: () => "", pass: async () => {} })
}
