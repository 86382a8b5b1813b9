import { FleetPromptError } from "../../errors.ts"
import { andThen } from "../bus/bus-in-order.ts"
import { type DispatchHookContext, halt, type Middleware, type PublishContext, skip } from "./middleware.ts"
import type { Signal } from "../signal.ts"

/** Who may publish and receive what. */
export interface AuthoriseOptions {
  /** Whether the principal may publish the signal. Default everyone may. */
  readonly publish?: (signal: Signal, context: PublishContext) => boolean | Promise<boolean>
  /** Whether the principal may receive the signal: by subscription, replay or snapshot. Default everyone may. */
  readonly receive?: (signal: Signal, context: DispatchHookContext) => boolean | Promise<boolean>
}

/**
 * Middleware that lets signals through only where it is allowed. A publish that is not allowed rejects
 * with `forbidden`; a subscriber or reader that may not have a signal is passed by. Only `true` allows:
 * a check that throws, or answers anything else, does not.
 *
 * @example
 * const bus = createBus({
 *   middleware: [authorise({ receive: (signal, { principal }) => principal === "admin" || signal.type !== "audit.read" })],
 * })
 * bus.subscribe("**", show, { principal: "guest" })
 */
export function authorise({ publish, receive }: AuthoriseOptions): Middleware {
  return {
    name: "authorise",
    ...(publish && {
      beforePublish: (signal: Signal, context: PublishContext) =>
        andThen(publish(signal, context), (allowed: unknown) =>
          allowed === true ? undefined : halt(forbidden(signal)),
        ),
    }),
    ...(receive && {
      beforeDispatch: (signal: Signal, context: DispatchHookContext) =>
        andThen(receive(signal, context), (allowed: unknown) => (allowed === true ? undefined : skip(NOT_ALLOWED))),
    }),
  }
}

const NOT_ALLOWED = "not allowed to receive it"

function forbidden({ type }: Signal): FleetPromptError {
  return new FleetPromptError("forbidden", `expected a principal that may publish ${type}; publish as another one`)
}
