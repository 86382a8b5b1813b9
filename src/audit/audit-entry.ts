import { FleetPromptError } from "../errors.ts"
import { redactText, redactValue } from "../guard/redact.ts"
import { newId } from "../signal/id.ts"
import { copyJson, type JsonValue } from "../signal/json.ts"
import type { NewAuditEntry } from "../store/audit-intake.ts"

/** Who did something, as it was at that time. */
export interface AuditActor {
  /** operator: the platform's own people; host: a person of the host application; system: the platform itself, without anybody asking. */
  readonly kind: "user" | "api_key" | "service_account" | "operator" | "host" | "system"
  readonly id: string
  /** The role in which it was done. */
  readonly role?: string
}

/** A privileged action, to be kept for good. Never holds a secret. */
export interface AuditEntry {
  /** What was done, dotted: `member.role.change`, `credential.use`. At most 200 characters. */
  readonly action: string
  /** To what, `type:id`: `member:0198…`, `credential:0198…`. At most 500 characters. */
  readonly resource: string
  readonly actor: AuditActor
  /** Default `done`. */
  readonly outcome?: "done" | "denied" | "failed"
  /** What else there is to know. What looks like a secret is replaced by a marker; beyond 16,384 bytes of JSON only its size is kept. */
  readonly details?: JsonValue
  /** Id of the signal, request or handler run that it was part of. */
  readonly correlationId?: string
}

const ACTION = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/
const MAX_ACTION = 200
/** Longest text of the other fields, UTF-16 units. */
const MAX_TEXT = 500
const MAX_DETAILS_BYTES = 16_384

/**
 * An entry as it is stored: with an id, within the limits, and without what looks like a secret.
 *
 * @param tenant slug of the tenant, or `PLATFORM_LOG`.
 * @throws FleetPromptError `data_invalid` for an action that is no dotted name, `data_not_json`, `data_too_deep`
 */
export function auditRecord(tenant: string, entry: AuditEntry): NewAuditEntry {
  const { action, actor } = entry
  if (action.length > MAX_ACTION || !ACTION.test(action))
    throw new FleetPromptError(
      "data_invalid",
      `expected a dotted name in small letters as an audit entry's action, such as member.role.change, got a text of ${action.length} characters that is none`,
      { path: "action" },
    )
  return {
    tenant,
    id: newId(),
    actorKind: actor.kind,
    actorId: plainText(actor.id),
    actorRole: actor.role === undefined ? null : plainText(actor.role),
    action,
    resource: plainText(entry.resource),
    outcome: entry.outcome ?? "done",
    details: plainDetails(entry.details),
    correlationId: entry.correlationId === undefined ? null : plainText(entry.correlationId),
  }
}

/** A text that Postgres holds, without secrets. It may come from outside, so it is never refused: an action may not fail for it. */
function plainText(text: string): string {
  const clean = redactText(
    text
      .slice(0, MAX_TEXT * 2)
      .replaceAll("\u0000", "\uFFFD")
      .toWellFormed(),
  )
  return clean.slice(0, MAX_TEXT).toWellFormed()
}

function plainDetails(details: JsonValue | undefined): JsonValue {
  if (details === undefined) return null
  const copy = redactValue(copyJson(details, "details", { replaceText: () => "[text that cannot be stored]" }))
  const bytes = Buffer.byteLength(JSON.stringify(copy))
  return bytes <= MAX_DETAILS_BYTES ? copy : { omitted: true, bytes }
}
