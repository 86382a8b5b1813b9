import { FleetPromptError, isFleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import type { StandardSchema } from "../signal/standard-schema.ts"
import { defineHandler } from "./handler.ts"
import type { Handler, HandlerDefinition } from "./handler-definition.ts"
import type {
  ActionTemplate,
  ActionTemplateDefinition,
  HandlerTemplate,
  HandlerTemplateDefinition,
  TemplateDefinition,
} from "./template.ts"

/**
 * Checks a handler template: code that packages' manifests refer to under `uses`. A package is data; what runs is this.
 *
 * @throws FleetPromptError `template_invalid`
 * @example
 * const labelIssue = defineHandlerTemplate({
 *   name: "github.label-issue",
 *   params: z.object({ label: z.string() }),
 *   run: async ({ signal, params, credentials }) => {
 *     const github = await credentials.get("github")
 *     await addLabel(github.reveal("token"), signal.data, params.label)
 *   },
 * })
 */
export function defineHandlerTemplate<
  Schema extends StandardSchema<unknown, unknown> = StandardSchema<unknown, JsonObject>,
>(definition: HandlerTemplateDefinition<Schema>): HandlerTemplate {
  const { name, timeoutMs, retry, concurrency, run } = definition
  checkSchema(name, definition.params)
  const options = optionsOf(name, {
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(retry && { retry }),
    ...(concurrency?.perTenant !== undefined && { concurrency: { perTenant: concurrency.perTenant } }),
    // Looked at for what it is, and not called.
    run: run as unknown as HandlerDefinition["run"],
  })
  // What the schema returned is given to the run of the same definition; nothing at run time could tell otherwise.
  return Object.freeze({ kind: "handler", ...described(definition), options, run })
}

/**
 * Checks an action template: code that packages' manifests refer to under `uses`, to be called by name.
 *
 * @throws FleetPromptError `template_invalid`
 * @example
 * const addNumbers = defineActionTemplate({ name: "math.add", run: ({ input }) => sumOf(input) })
 */
export function defineActionTemplate<
  Schema extends StandardSchema<unknown, unknown> = StandardSchema<unknown, JsonObject>,
>(definition: ActionTemplateDefinition<Schema>): ActionTemplate {
  const { name, run } = definition
  checkSchema(name, definition.params)
  // As above.
  optionsOf(name, { run: run as unknown as HandlerDefinition["run"] })
  return Object.freeze({ kind: "action", ...described(definition), run })
}

function described({ name, description = "", params }: TemplateDefinition<StandardSchema>) {
  return { name, description, params }
}

/** Name and options are what those of a handler are, with the same checks. */
function optionsOf(name: string, options: Omit<HandlerDefinition, "name" | "on">): Handler {
  try {
    return defineHandler({ ...options, name, on: "**" })
  } catch (error) {
    if (!isFleetPromptError(error)) throw error
    throw new FleetPromptError("template_invalid", error.message.replace(`handler ${name}`, `template ${name}`))
  }
}

function checkSchema(name: string, schema: StandardSchema | undefined): void {
  // As a caller without types may give it.
  const standard = schema?.["~standard"] as Partial<StandardSchema["~standard"]> | undefined
  if (schema === undefined || (standard?.version === 1 && typeof standard.validate === "function")) return
  throw new FleetPromptError(
    "template_invalid",
    `expected a validator with Standard Schema version 1 as params of template ${name}, got something else; take one of zod, valibot or arktype, or leave it out`,
  )
}
