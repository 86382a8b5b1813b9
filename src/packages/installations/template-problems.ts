import type { Template } from "../../delivery/template.ts"
import { readParams, type Templates } from "../../delivery/templates.ts"
import { isFleetPromptError } from "../../errors.ts"
import type { JsonObject } from "../../signal/json.ts"
import type { ActionBinding, HandlerBinding, PackageManifest } from "../manifest.ts"
import { fillPlaceholders } from "../placeholders.ts"
import { boundBy } from "./desired.ts"
import type { PlanProblem } from "./installation-plan.ts"

/** What of a package's handlers and actions this release does not have, or does not take. */
export function templateProblems(
  manifest: PackageManifest,
  config: JsonObject,
  templates: Templates,
): readonly PlanProblem[] {
  const { slug, handlers = [], actions = [] } = manifest
  return [
    ...boundBy(manifest).flatMap((each) =>
      problemOf(
        `${handlers.includes(each) ? "handler" : "sensor"} "${each.name}" of ${slug}`,
        each,
        config,
        templates.handlers,
      ),
    ),
    ...actions.flatMap((each) => problemOf(`action "${each.name}" of ${slug}`, each, config, templates.actions)),
  ].map((message) => ({ kind: "template", message, pointer: null }))
}

function problemOf(
  what: string,
  { uses, with: given = {} }: HandlerBinding | ActionBinding,
  config: JsonObject,
  templates: ReadonlyMap<string, Pick<Template, "name" | "params">>,
): readonly string[] {
  const template = templates.get(uses)
  if (!template)
    return [
      `expected a template of this platform as ${what}, got "${uses}", which it does not have; give it to createFleet({ templates }), or take another version`,
    ]
  try {
    // Parameters are an object, and stay one when they are filled in.
    readParams(template, fillPlaceholders(given, config) as JsonObject)
    return []
  } catch (error) {
    if (isFleetPromptError(error)) return [`${what}: ${error.message}`]
    throw error
  }
}
