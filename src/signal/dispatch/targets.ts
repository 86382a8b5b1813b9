import type { DispatchContext } from "./dispatch-adapter.ts"
import { invalidOption } from "./adapter-options.ts"
import type { Signal } from "../signal.ts"

/** Takes signals under a name. A rejection means that the signal did not arrive. */
export type Target = (signal: Signal, context: DispatchContext) => unknown

/** Who can be reached by name in this process. */
export interface Targets {
  /**
   * Takes a name, until the returned function gives it back.
   *
   * @throws FleetPromptError `dispatch_invalid` when the name is taken or empty
   */
  readonly register: (name: string, target: Target) => () => void
  readonly find: (name: string) => Target | undefined
  /** In the order they came. */
  readonly names: () => readonly string[]
}

/**
 * Makes a registry of names for `namedAdapter`.
 *
 * @example
 * const targets = createTargets()
 * const leave = targets.register("billing", (signal) => bill(signal))
 */
export function createTargets(): Targets {
  const targets = new Map<string, Target>()
  return {
    register: (name, target) => {
      if (name === "") throw invalidOption("name", "expected a name for the target, got an empty text")
      if (targets.has(name)) {
        throw invalidOption("name", `expected a free name, got "${name}", which is taken; its owner must leave first`)
      }
      targets.set(name, target)
      let isHeld = true
      return () => {
        // Only once: by a second call the name may be another's.
        if (isHeld) targets.delete(name)
        isHeld = false
      }
    },
    find: (name) => targets.get(name),
    names: () => [...targets.keys()],
  }
}
