import { FleetPromptError } from "../../errors.ts"
import type { Signal } from "../signal.ts"
import type { Subscriber } from "./subscription.ts"

/** The extension attribute that names targets. */
const ATTRIBUTE = "dispatch"
const TARGET_NAME = /^[a-z][a-z0-9_-]*$/

/**
 * Targets that a signal may ask for itself, by name: the attribute `dispatch` holds one name, or several
 * with commas between. What a name stands for is decided where the bus is made, so that a signal from
 * outside cannot choose an address.
 */
export class NamedTargets {
  readonly #targets = new Map<string, Subscriber>()

  get isEmpty(): boolean {
    return this.#targets.size === 0
  }

  /** @throws FleetPromptError `dispatch_invalid` for a malformed name */
  add(name: string, target: Subscriber): void {
    if (!TARGET_NAME.test(name)) throw invalid(`a name of lower-case letters, digits, "_" and "-" in dispatches`, name)
    this.#targets.set(name, target)
  }

  /**
   * Those that a signal asks for.
   *
   * @throws FleetPromptError `dispatch_invalid` for a name that is not there
   */
  of(signal: Signal): readonly Subscriber[] {
    const value = signal[ATTRIBUTE]
    if (value === undefined || this.isEmpty) return []
    const names = new Set(
      String(value)
        .split(",")
        .map((name) => name.trim()),
    )
    return [...names].map((name) => this.#get(name))
  }

  list(): readonly Subscriber[] {
    return [...this.#targets.values()]
  }

  #get(name: string): Subscriber {
    const target = this.#targets.get(name)
    if (target) return target
    throw invalid(`a name that the bus has in dispatches as the signal's ${ATTRIBUTE}`, name)
  }
}

function invalid(expected: string, came: string): FleetPromptError {
  return new FleetPromptError("dispatch_invalid", `expected ${expected}, got ${JSON.stringify(came.slice(0, 60))}`, {
    path: ATTRIBUTE,
  })
}
