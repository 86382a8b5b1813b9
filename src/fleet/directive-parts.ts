import type { HandlerSet } from "../delivery/handler-set.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { Directive } from "../directives/directive.ts"
import type { FleetDirectiveParts, RunnerDeps } from "../directives/directives-deps.ts"
import { byType } from "../directives/known-directives.ts"
import { directiveHandler } from "../directives/run-directive.ts"
import { RunningDirectives } from "../directives/running-directives.ts"
import { StrayDirectives } from "../directives/stray-directives.ts"
import type { EmitDeps } from "../emit/emit.ts"
import type { FleetOptions } from "./options.ts"

/** What the doors and the runner of a fleet's directives share. @throws FleetPromptError `directive_invalid` */
export function directiveParts(
  { directives = [] }: Pick<FleetOptions, "directives">,
  builtIn: readonly Directive[] = [],
): FleetDirectiveParts {
  return { definitions: byType([...directives, ...builtIn]), running: new RunningDirectives() }
}

/**
 * The built-in handlers that carry directives out, one for each type. Every process puts directives of all types into the
 * queue, since anybody may approve one; it takes those that it knows.
 */
export function directiveHandlers({ definitions }: FleetDirectiveParts, deps: () => RunnerDeps): readonly Handler[] {
  return [...definitions.keys()].map((type) => directiveHandler(type, deps))
}

/** What ends directives whose type no process knows. */
export function createStrays(
  handlers: HandlerSet,
  { database, telemetry }: Pick<EmitDeps, "database" | "telemetry">,
  runnerDeps: () => RunnerDeps,
  onHandlers: () => void,
): StrayDirectives {
  const handlerOf = (type: string): Handler => directiveHandler(type, runnerDeps)
  return new StrayDirectives({ engine: database.hot, handlers, telemetry, handlerOf, onHandlers })
}
