import type { Handler } from "../delivery/handler-definition.ts"
import type { BroughtHandler, HandlerSet } from "../delivery/handler-set.ts"
import type { Queryable } from "../store/database.ts"
import { selectOverdueLanes } from "../store/lanes.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { DIRECTIVE_HANDLERS, ELSEWHERE_PATIENCE_MS } from "./run-directive.ts"

/** What is looked for with. */
export interface StrayDirectivesDeps {
  /** For the engine's own statements. */
  readonly engine: Queryable
  readonly handlers: Pick<HandlerSet, "bring" | "fixed">
  readonly telemetry: Pick<Telemetry, "tell">
  /** Carries directives of a type out, or ends them where this process does not know it. */
  readonly handlerOf: (type: string) => Handler
  /** Handlers were brought. */
  readonly onHandlers: () => void
  /** How long directives have to wait before they are strays, milliseconds. Default one hour. */
  readonly patienceMs?: number
  /** How often to look, milliseconds. Default ten minutes. */
  readonly lookMs?: number
}

const DEFAULT_LOOK_MS = 600_000

/**
 * Finds directives whose type no process knows. Each type waits under a name of its own, so that only processes that
 * know it take them; what nobody took for an hour this process takes, for as long as there is any, to let them fail.
 */
export class StrayDirectives {
  readonly #deps: StrayDirectivesDeps
  readonly #own: ReadonlySet<string>
  #brought: readonly BroughtHandler[] = []
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined

  constructor(deps: StrayDirectivesDeps) {
    this.#deps = deps
    this.#own = new Set(deps.handlers.fixed.map(({ name }) => name))
  }

  /** Looks now and then, until it is stopped. */
  start(): void {
    this.#timer ??= setInterval(() => void this.look(), this.#deps.lookMs ?? DEFAULT_LOOK_MS).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
  }

  /** Looks once. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => this.#deps.telemetry.tell("background.failed", { step: "directive", error }))
      .finally(() => (this.#looking = undefined))
    return this.#looking
  }

  async #look(): Promise<void> {
    const { engine, handlers, handlerOf, onHandlers, patienceMs = ELSEWHERE_PATIENCE_MS } = this.#deps
    const lanes = await selectOverdueLanes(engine, DIRECTIVE_HANDLERS, patienceMs)
    const strays = lanes.filter(({ handler }) => !this.#own.has(handler))
    const gone = this.#brought.filter(
      ({ name, tenant }) => !strays.some((s) => s.handler === name && s.tenant === tenant),
    )
    if (strays.length === 0 && gone.length === 0) return
    this.#brought = strays.map(({ handler: name, tenant }) => ({
      tenant,
      name,
      handler: handlerOf(name.slice(DIRECTIVE_HANDLERS.length)),
    }))
    handlers.bring([...this.#brought, ...gone.map((each) => ({ ...each, handler: undefined }))])
    onHandlers()
  }
}
