import type { Handler } from "../delivery/handler-definition.ts"
import { defineHandler } from "../delivery/handler.ts"
import type { Directive } from "../directives/directive.ts"
import type { FleetDirectiveParts, RunnerDeps } from "../directives/directives-deps.ts"
import { byType } from "../directives/known-directives.ts"
import { DIRECTIVES, directiveHandler } from "../directives/run-directive.ts"
import { RunningDirectives } from "../directives/running-directives.ts"
import type { FleetOptions } from "./options.ts"

/** What the doors and the runner of a fleet's directives share. @throws FleetPromptError `directive_invalid` */
export function directiveParts(
  { directives = [] }: Pick<FleetOptions, "directives">,
  builtIn: readonly Directive[] = [],
): FleetDirectiveParts {
  return { definitions: byType([...directives, ...builtIn]), running: new RunningDirectives() }
}

/** The built-in handler that carries directives out. */
export function createDirectiveHandler(deps: () => RunnerDeps): Handler {
  return defineHandler(directiveHandler(deps))
}

/**
 * The handlers that this process runs. Every process puts directives into the queue, since anybody may approve one; those
 * that define none leave them to others.
 */
export function runHere(handlers: readonly Handler[], { definitions }: FleetDirectiveParts): readonly Handler[] {
  return definitions.size > 0 ? handlers : handlers.filter(({ name }) => name !== DIRECTIVES)
}
