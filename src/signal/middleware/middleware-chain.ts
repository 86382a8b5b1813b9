import { FleetPromptError } from "../../errors.ts"
import { isPromiseLike, withinTime } from "../bus/bus-in-order.ts"
import { acceptSignal } from "../bus/bus-input.ts"
import type { Clock } from "../clock.ts"
import {
  type DispatchHookContext,
  type DispatchOutcome,
  type Halt,
  halt,
  type Middleware,
  type PublishContext,
  type PublishOutcome,
  type Skip,
} from "./middleware.ts"
import type { Signal } from "../signal.ts"

/** What a chain works with. */
export interface HookChainDeps {
  readonly clock: Clock
  /** Time for one hook, milliseconds. */
  readonly timeoutMs: number
  /** Hears what `after` hooks throw. */
  readonly onAfterError: (error: unknown, middleware: string) => void
}

/** How far a signal came through the `before` hooks. */
export interface Passage {
  /** As the last hook left it. */
  readonly signal: Signal
  /** How many hooks let it on. */
  readonly passed: number
  /** Why it goes no further. */
  readonly stop: Skip | Halt | undefined
}

/** The two hooks of one middleware around a publish or a dispatch. */
interface Hook<Context, Outcome> {
  readonly name: string
  readonly before: ((signal: Signal, context: Context) => unknown) | undefined
  readonly after: ((signal: Signal, outcome: Outcome, context: Context) => unknown) | undefined
}

/** The hooks of all middleware around a publish, or around a dispatch. */
export class HookChain<Context, Outcome> {
  readonly #hooks: readonly Hook<Context, Outcome>[]
  readonly #deps: HookChainDeps

  constructor(hooks: readonly Hook<Context, Outcome>[], deps: HookChainDeps) {
    this.#hooks = hooks.filter(({ before, after }) => before ?? after)
    this.#deps = deps
  }

  get isEmpty(): boolean {
    return this.#hooks.length === 0
  }

  /** Asks the `before` hooks, first to last, until one says stop. Never rejects. */
  before(signal: Signal, context: Context): Passage | Promise<Passage> {
    return this.#beforeFrom(0, signal, context)
  }

  /** Tells the `after` hooks of those that let the signal on, last to first. Never rejects. */
  after({ signal, passed }: Passage, outcome: Outcome, context: Context): void | Promise<void> {
    return this.#afterFrom(passed - 1, signal, outcome, context)
  }

  #beforeFrom(start: number, signal: Signal, context: Context): Passage | Promise<Passage> {
    let current = signal
    for (let index = start; index < this.#hooks.length; index++) {
      const verdict = this.#ask(this.#hooks[index], current, context)
      const asked = current
      if (verdict instanceof Promise)
        return verdict.then((later) => {
          if (isStop(later)) return { signal: asked, passed: index, stop: later }
          return this.#beforeFrom(index + 1, later ?? asked, context)
        })
      if (isStop(verdict)) return { signal: current, passed: index, stop: verdict }
      current = verdict ?? current
    }
    return { signal: current, passed: this.#hooks.length, stop: undefined }
  }

  #ask(hook: Hook<Context, Outcome> | undefined, signal: Signal, context: Context): Answer | Promise<Answer> {
    if (!hook?.before) return undefined
    const { name } = hook
    try {
      const answer = hook.before(signal, context)
      if (!isPromiseLike(answer)) return checkAnswer(answer, signal, name)
      return this.#inTime(answer, name).then((later) => checkAnswer(later, signal, name), halt)
    } catch (error) {
      return halt(error)
    }
  }

  #afterFrom(start: number, signal: Signal, outcome: Outcome, context: Context): void | Promise<void> {
    for (let index = start; index >= 0; index--) {
      const pending = this.#tell(this.#hooks[index], signal, outcome, context)
      if (pending) return pending.then(() => this.#afterFrom(index - 1, signal, outcome, context))
    }
  }

  #tell(
    hook: Hook<Context, Outcome> | undefined,
    signal: Signal,
    outcome: Outcome,
    context: Context,
  ): void | Promise<void> {
    if (!hook?.after) return
    const report = (error: unknown) => this.#deps.onAfterError(error, hook.name)
    try {
      const answer = hook.after(signal, outcome, context)
      if (isPromiseLike(answer)) return this.#inTime(answer, hook.name).then(() => {}, report)
    } catch (error) {
      report(error)
    }
  }

  #inTime(answer: PromiseLike<unknown>, name: string): Promise<unknown> {
    const { timeoutMs, clock } = this.#deps
    return withinTime(answer, timeoutMs, clock, () => tooSlow(name, timeoutMs))
  }
}

type Answer = Signal | Skip | Halt | undefined

/** The hooks around a publish, of a stack of middleware. */
export function publishChain(
  stack: readonly Middleware[],
  deps: HookChainDeps,
): HookChain<PublishContext, PublishOutcome> {
  const hooks = stack.map((each, index) => ({
    name: nameOf(each, index),
    before: each.beforePublish?.bind(each),
    after: each.afterPublish?.bind(each),
  }))
  return new HookChain(hooks, deps)
}

/** The hooks around a dispatch, of a stack of middleware. */
export function dispatchChain(
  stack: readonly Middleware[],
  deps: HookChainDeps,
): HookChain<DispatchHookContext, DispatchOutcome> {
  const hooks = stack.map((each, index) => ({
    name: nameOf(each, index),
    before: each.beforeDispatch?.bind(each),
    after: each.afterDispatch?.bind(each),
  }))
  return new HookChain(hooks, deps)
}

function nameOf({ name }: Middleware, index: number): string {
  return name ?? `middleware ${index + 1}`
}

function isStop(answer: Answer): answer is Skip | Halt {
  return answer !== undefined && "kind" in answer && !("specversion" in answer)
}

/** A hook that answers false, say, means no; to go on would be the wrong guess. */
function checkAnswer(answer: unknown, signal: Signal, name: string): Answer {
  if (answer === undefined) return undefined
  if (isVerdictObject(answer)) return answer
  try {
    const changed = acceptSignal(answer)
    return changed.id === signal.id ? changed : halt(invalid(name, "a signal with the id it was given", "another id"))
  } catch (error) {
    return halt(invalid(name, "nothing, a signal, skip() or halt()", typeof answer, error))
  }
}

function isVerdictObject(answer: unknown): answer is Skip | Halt {
  if (typeof answer !== "object" || answer === null || "specversion" in answer || !("kind" in answer)) return false
  return answer.kind === "skip" || answer.kind === "halt"
}

function invalid(name: string, expected: string, came: string, cause?: unknown): FleetPromptError {
  return new FleetPromptError(
    "middleware_invalid",
    `expected ${expected} from the before hook of ${name}, got ${came}`,
    {
      cause,
    },
  )
}

function tooSlow(name: string, timeoutMs: number): FleetPromptError {
  return new FleetPromptError(
    "middleware_timeout",
    `expected a hook of ${name} to answer within ${timeoutMs} ms; raise middlewareTimeoutMs or let it do less`,
  )
}
