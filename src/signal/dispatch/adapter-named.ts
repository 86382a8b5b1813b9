import { refuseUnknownOptions, textOption } from "./adapter-options.ts"
import type { DispatchAdapter } from "./dispatch-adapter.ts"
import { DispatchError } from "./dispatch-error.ts"
import type { Targets } from "./targets.ts"

/** How `namedAdapter` is set up. */
export interface NamedSettings {
  /** Where names are looked up. */
  readonly targets: Targets
}

/** The checked options of the adapter `named`. */
export interface NamedOptions {
  /** The target's name. */
  readonly target: string
}

/**
 * Hands signals to a target in this process that is known by name. It is looked up when a signal comes,
 * so it may be registered after the dispatch, and replaced.
 *
 * @example
 * const targets = createTargets()
 * targets.register("billing", (signal) => bill(signal))
 * const dispatcher = createDispatcher({ adapters: [namedAdapter({ targets })] })
 * await dispatcher.dispatch(signal, { to: "named", target: "billing" })
 */
export function namedAdapter({ targets }: NamedSettings): DispatchAdapter<NamedOptions> {
  return {
    name: "named",
    validate: (options) => {
      refuseUnknownOptions(options, ["target"])
      return { target: textOption(options, "target") }
    },
    deliver: async (signal, options, context) => {
      const target = targets.find(options.target)
      if (!target) throw noTarget(options.target)
      await target(signal, context)
    },
  }
}

function noTarget(name: string): DispatchError {
  return new DispatchError("dispatch_failed", `expected a target named "${name}", but none is registered`)
}
