import type { Role } from "../access/principal.ts"
import { defineHandler } from "../delivery/handler.ts"
import type { Handler, RetryOptions } from "../delivery/handler-definition.ts"
import { FleetPromptError, isFleetPromptError } from "../errors.ts"
import type { JsonValue } from "../signal/json.ts"
import type { InferInput, InferOutput, StandardSchema } from "../signal/standard-schema.ts"
import type { Directive, DirectiveDefinition } from "./directive.ts"

const TYPE = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/
const MAX_TYPE = 100
const DEFAULT_TIMEOUT_MS = 300_000
const DEFAULT_ROLES: readonly Role[] = ["owner", "admin"]
const ROLES: readonly unknown[] = ["owner", "admin", "member", "operator"] satisfies readonly Role[]
/** Longest result that stands in a signal as it is, characters of JSON. */
const MAX_SUMMARY = 2_000
const STAGES = ["requested", "started", "completed", "failed", "cancelled"] as const

/**
 * Checks a directive's definition: what may be requested, by whom, and what is done then.
 *
 * @throws FleetPromptError `directive_invalid`
 * @example
 * const inviteBot = defineDirective({
 *   type: "chat.invite_bot",
 *   params: z.object({ channel: z.string(), credential: z.string() }),
 *   run: async ({ params, step, credentials }) => {
 *     const chat = await credentials.get(params.credential)
 *     const { id } = await step("invite", ({ key }) => invite(chat, params.channel, key), { undo: ({ id }) => remove(id) })
 *     return { membership: id }
 *   },
 * })
 */
export function defineDirective<Schema extends StandardSchema>(
  definition: DirectiveDefinition<Schema>,
): Directive<InferInput<Schema>> {
  type Params = InferOutput<Schema>
  const { type, params, roles = DEFAULT_ROLES, approval = false, trail = {}, visibility = "internal" } = definition
  checkType(type)
  checkSchema(type, params)
  checkRoles(type, roles)
  checkFunctions(type, definition)
  checkTrail(type, trail)
  const { timeoutMs, attempts, backoff, isWorthRetrying } = limitsOf(type, definition)
  return Object.freeze({
    type,
    params,
    roles: Object.freeze([...roles]),
    timeoutMs,
    attempts,
    backoff,
    isWorthRetrying,
    visibility,
    // What the schema returned is given back to the functions of the same definition; nothing at run time could tell otherwise.
    needsApproval: (given: unknown) => (typeof approval === "function" ? approval(given as Params) : approval),
    summary: definition.summary ?? shortResult,
    trail,
    run: definition.run,
    idempotencyKey: definition.idempotencyKey,
    signalParams: definition.signalParams,
    undo: definition.undo,
  })
}

/** Whether a text may be the type of a directive. */
export function isType(type: unknown): type is string {
  return typeof type === "string" && type.length <= MAX_TYPE && TYPE.test(type)
}

function checkType(type: unknown): void {
  if (isType(type)) return
  throw invalid(
    `expected a type such as "package.install" of at most ${MAX_TYPE} characters, two or more words of small letters with dots between, got ${JSON.stringify(type)}`,
  )
}

function checkSchema(type: string, schema: StandardSchema): void {
  // As a caller without types may leave it out.
  const standard = (schema as Partial<StandardSchema> | undefined)?.["~standard"]
  if (standard?.version === 1 && typeof standard.validate === "function") return
  throw invalid(
    `expected a validator with Standard Schema version 1 as params of ${type}, got something else; take one of zod, valibot or arktype`,
  )
}

function checkRoles(type: string, roles: readonly Role[]): void {
  if (Array.isArray(roles) && roles.length > 0 && roles.every((role) => ROLES.includes(role))) return
  throw invalid(`expected some of ${ROLES.join(", ")} as roles of ${type}, got ${JSON.stringify(roles)}`)
}

function checkFunctions<Schema extends StandardSchema>(type: string, definition: DirectiveDefinition<Schema>): void {
  const { run, undo, idempotencyKey, signalParams, summary, approval } = definition
  const given = { run, undo: undo ?? run, idempotencyKey: idempotencyKey ?? run, signalParams: signalParams ?? run }
  for (const [option, value] of Object.entries({ ...given, summary: summary ?? run }))
    if (typeof value !== "function") throw invalid(`expected a function as ${option} of ${type}, got ${typeof value}`)
  if (approval !== undefined && typeof approval !== "boolean" && typeof approval !== "function")
    throw invalid(`expected true, false or a function as approval of ${type}, got ${typeof approval}`)
}

function checkTrail(type: string, trail: object): void {
  const { domain, ...stages } = trail as { readonly domain?: unknown }
  if (domain !== undefined && !(typeof domain === "string" && TYPE.test(domain)))
    throw invalid(`expected a type such as "package.install" as trail.domain of ${type}, got ${JSON.stringify(domain)}`)
  for (const [stage, value] of Object.entries<unknown>(stages))
    if (!STAGES.some((known) => known === stage) || (value !== undefined && typeof value !== "function"))
      throw invalid(`expected functions for ${STAGES.join(", ")} in the trail of ${type}, got "${stage}"`)
}

/** Timeout and retries are what those of a handler are, with the same checks. */
function limitsOf(
  type: string,
  { timeoutMs = DEFAULT_TIMEOUT_MS, retry = {} }: { readonly timeoutMs?: number; readonly retry?: RetryOptions },
): Pick<Handler, "timeoutMs" | "attempts" | "backoff" | "isWorthRetrying"> {
  try {
    return defineHandler({ name: type, on: type, timeoutMs, retry, run: () => {} })
  } catch (error) {
    if (!isFleetPromptError(error)) throw error
    throw invalid(error.message.replace(`handler ${type}`, `directive ${type}`))
  }
}

function shortResult(result: JsonValue): JsonValue {
  const { length } = JSON.stringify(result)
  return length <= MAX_SUMMARY ? result : { omitted: true, length }
}

function invalid(message: string): FleetPromptError {
  return new FleetPromptError("directive_invalid", message)
}
