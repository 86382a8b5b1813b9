import { FleetPromptError } from "../errors.ts"
import { describeIssues } from "../signal/data-issues.ts"
import type { JsonObject } from "../signal/json.ts"
import type { ActionTemplate, HandlerTemplate, Template } from "./template.ts"

/**
 * What a template's schema makes of what a manifest says under `with`.
 *
 * @throws FleetPromptError `template_params_invalid`, `template_invalid` when the schema does not answer at once
 */
export function readParams({ name, params }: Pick<Template, "name" | "params">, given: JsonObject): unknown {
  if (!params) return given
  const result = params["~standard"].validate(given)
  if (result instanceof Promise)
    throw new FleetPromptError(
      "template_invalid",
      `expected the schema of template ${name} to answer at once, got a promise; leave out what it has to wait for`,
    )
  if (!result.issues) return result.value
  const { text, path } = describeIssues("with", given, result.issues)
  throw new FleetPromptError("template_params_invalid", `expected what template ${name} takes, got: ${text}`, { path })
}

/** Templates by name, those for handlers and those for actions apart. */
export interface Templates {
  readonly handlers: ReadonlyMap<string, HandlerTemplate>
  readonly actions: ReadonlyMap<string, ActionTemplate>
}

/**
 * The templates of a fleet by name.
 *
 * @throws FleetPromptError `template_invalid` when two of a kind have one name
 */
export function templatesOf(templates: readonly Template[]): Templates {
  const handlers = new Map<string, HandlerTemplate>()
  const actions = new Map<string, ActionTemplate>()
  for (const template of templates) {
    const { kind, name } = template
    if (kind === "handler" ? handlers.has(name) : actions.has(name))
      throw new FleetPromptError(
        "template_invalid",
        `expected each ${kind} template to have a name of its own, got two called "${name}"; rename one`,
      )
    if (kind === "handler") handlers.set(name, template)
    else actions.set(name, template)
  }
  return { handlers, actions }
}
