import { choiceOption, refuseUnknownOptions } from "./adapter-options.ts"
import { type HttpMessage, toHttp } from "../codecs/codec-http.ts"
import type { DispatchAdapter } from "./dispatch-adapter.ts"
import { DispatchError } from "./dispatch-error.ts"
import { createHttpDelivery, type HttpSettings } from "./http-delivery.ts"
import { HTTP_TARGET_OPTIONS, type HttpTarget, readHttpTarget } from "./http-options.ts"
import type { Signal } from "../signal.ts"

/** The checked options of the adapter `http`. */
export interface HttpOptions {
  readonly target: HttpTarget
  /** How CloudEvents are put into HTTP. */
  readonly mode: "structured" | "binary"
}

const OPTIONS = [...HTTP_TARGET_OPTIONS, "mode"] as const

/**
 * Sends signals as CloudEvents over HTTP. Failures that may pass are tried again: the statuses 408,
 * 425, 429 and from 500, a connection that breaks, and no answer in time. Redirects are not followed.
 *
 * @throws FleetPromptError `config_invalid`
 * @example
 * const dispatcher = createDispatcher({ adapters: [httpAdapter()] })
 * await dispatcher.dispatch(signal, { to: "http", url: "https://events.example/in", timeoutMs: 5_000 })
 */
export function httpAdapter(settings: HttpSettings = {}): DispatchAdapter<HttpOptions> {
  const deliver = createHttpDelivery(settings)
  return {
    name: "http",
    validate: (options) => {
      refuseUnknownOptions(options, OPTIONS)
      return {
        target: readHttpTarget(options),
        mode: choiceOption(options, "mode", ["structured", "binary"], "structured"),
      }
    },
    deliver: async (signal, { target, mode }, context) => {
      const { body, headers } = encode(signal, mode)
      await deliver({ body, headers: () => ({ ...headers, ...target.headers }) }, target, context)
    },
  }
}

function encode(signal: Signal, mode: HttpOptions["mode"]): HttpMessage {
  try {
    return toHttp(signal, mode)
  } catch (cause) {
    throw new DispatchError("dispatch_refused", `expected a signal that ${mode} mode can carry; see the cause`, {
      cause,
    })
  }
}
