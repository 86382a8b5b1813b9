import { actorOf } from "../access/principal-actor.ts"
import type { Principal } from "../access/principal.ts"
import type { AuditActor } from "../audit/audit-entry.ts"
import { FleetPromptError } from "../errors.ts"
import { redactText } from "../guard/redact.ts"
import { isUuid } from "../signal/id.ts"
import type { DirectiveActor } from "../store/directives.ts"
import type { DirectiveDecision, DirectiveRequest } from "./directives-door.ts"

/** The program itself, where nobody else is named. */
const PROGRAM: AuditActor = { kind: "system", id: "program" }
const KINDS: ReadonlySet<unknown> = new Set(["user", "api_key", "service_account", "operator", "host"])
const MAX_TEXT = 500

/** Who does it, as the audit log names them. */
export function auditActor(actor: Principal | undefined): AuditActor {
  return actor ? actorOf(actor) : PROGRAM
}

/** Who does it, as the row keeps them. */
export function recordedActor(actor: Principal | undefined): DirectiveActor {
  const { kind, id, role } = auditActor(actor)
  return { kind, id, role: role ?? null }
}

/** @throws FleetPromptError `directive_params_invalid` */
export function checkDecision({ actor, reason }: DirectiveDecision): void {
  // Code without types may give anything, and what is asked about it has to be whole.
  const given: Partial<Principal> | undefined = actor
  const isWhole = [given?.id, given?.tenant, given?.role].every((text) => typeof text === "string" && text !== "")
  if (given !== undefined && !(isWhole && KINDS.has(given.kind)))
    throw invalid("actor", "a principal with kind, id, tenant and role, or nothing for the program itself")
  checkText("reason", reason)
}

/** @throws FleetPromptError `directive_params_invalid` */
export function checkRequest(request: DirectiveRequest): void {
  checkDecision(request)
  const { runAt, expiresAt, idempotencyKey, correlationId, causationId } = request
  checkText("idempotencyKey", idempotencyKey)
  checkText("correlationId", correlationId)
  if (causationId !== undefined && !(typeof causationId === "string" && isUuid(causationId)))
    throw invalid("causationId", "the id of a stored signal, a UUID")
  checkMoment("runAt", runAt)
  checkMoment("expiresAt", expiresAt)
  if (runAt && expiresAt && expiresAt <= runAt) throw invalid("expiresAt", "a moment after runAt")
}

function checkMoment(name: string, moment: Date | undefined): void {
  if (moment === undefined || (moment instanceof Date && Number.isFinite(moment.getTime()))) return
  throw invalid(name, "a Date")
}

function checkText(name: string, text: string | undefined): void {
  if (text === undefined) return
  const fits = typeof text === "string" && text !== "" && text.length <= MAX_TEXT
  if (!fits || !text.isWellFormed() || text.includes("\u0000"))
    throw invalid(name, `a text of 1 to ${MAX_TEXT} characters that Postgres can hold`)
  if (redactText(text) === text) return
  throw new FleetPromptError(
    "secret_refused",
    `refused to store what looks like a secret as ${name}; leave it out of the text`,
    { path: name },
  )
}

function invalid(path: string, expected: string): FleetPromptError {
  return new FleetPromptError("directive_params_invalid", `expected ${expected} as ${path}, got something else`, {
    path,
  })
}
