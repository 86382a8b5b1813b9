import { FleetPromptError } from "../errors.ts"
import type { JsonValue } from "../signal/json.ts"
import type { StepCall, StepOptions } from "./directive.ts"

const NAME = /^[a-z0-9][a-z0-9._-]*$/
const MAX_NAME = 100

/** Takes a finished step back. */
export type Undo = (call: StepCall) => Promise<void> | void

/** What the steps of one attempt are kept with. */
export interface StepBookDeps {
  /** Results of the steps that ended in earlier attempts, by name. */
  readonly ended: ReadonlyMap<string, JsonValue>
  /** Fires when no step is to begin any more. */
  readonly signal: AbortSignal
  /** Whether the run is only gone through to find how its steps are undone: no step begins. */
  readonly isUndoing: boolean
  readonly keyOf: (name: string) => string
}

/**
 * The steps of one attempt: which have ended and with what, which are under way, and how they are undone. The table
 * is the authority of what has ended; a step gets into it before its result is answered.
 */
export class StepBook {
  readonly #deps: StepBookDeps
  readonly #used = new Set<string>()
  readonly #undos = new Map<string, Undo>()
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(deps: StepBookDeps) {
    this.#deps = deps
  }

  /** How steps that have ended are undone, by name; those that cannot be are not among them. */
  get undos(): ReadonlyMap<string, Undo> {
    return this.#undos
  }

  /** Whether the attempt came to a step that has ended. */
  cameTo(name: string): boolean {
    return this.#used.has(name)
  }

  /** Resolves when no step is under way. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
  }

  /**
   * Does a step, unless it has ended before.
   *
   * @param work does it and notes its result.
   * @throws FleetPromptError `directive_invalid`; the signal's reason; what `work` throws
   */
  async do<Result>(
    name: string,
    { undo }: StepOptions<Result>,
    work: (call: StepCall) => Promise<JsonValue>,
  ): Promise<Result> {
    this.#checkName(name)
    const { ended, isUndoing, signal, keyOf } = this.#deps
    const known = ended.get(name)
    if (known === undefined && isUndoing) throw new UndoneOnly(name)
    if (known === undefined) signal.throwIfAborted()
    // What was stored is what the step answered, as JSON.
    const result = (known === undefined ? await this.#tracked(work({ key: keyOf(name), signal })) : known) as Result
    if (undo) this.#undos.set(name, (call) => undo(result, call))
    return result
  }

  async #tracked<Result>(work: Promise<Result>): Promise<Result> {
    this.#underWay.add(work)
    try {
      return await work
    } finally {
      this.#underWay.delete(work)
    }
  }

  #checkName(name: string): void {
    if (typeof name !== "string" || name.length > MAX_NAME || !NAME.test(name))
      throw new FleetPromptError(
        "directive_invalid",
        `expected a step's name of at most ${MAX_NAME} small letters, digits, ".", "_" and "-", got ${JSON.stringify(name)}`,
      )
    if (this.#used.has(name))
      throw new FleetPromptError(
        "directive_invalid",
        `expected each step of a run to have a name of its own, got "${name}" twice; add what tells them apart, such as an id`,
      )
    this.#used.add(name)
  }
}

/** Ends a run that is only gone through: here it did not get further before. */
class UndoneOnly extends Error {
  constructor(name: string) {
    super(`step ${name} has not ended, and the directive is being undone: nothing begins any more`)
  }
}
