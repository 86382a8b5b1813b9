import type { AuditActor, AuditEntry } from "../audit/audit-entry.ts"
import type { JsonObject } from "../signal/json.ts"

/** Who asks for something that is done to a tenant or within it, and why. Both stand in the audit log. */
export interface RequestedBy {
  /** Default: the program itself. */
  readonly by?: AuditActor
  /** Why, for people. */
  readonly reason?: string
}

/** Who asked where nobody is named. */
const PROGRAM: AuditActor = Object.freeze({ kind: "system", id: "fleet" })

/**
 * An entry for the audit log about what somebody asked for through a door.
 *
 * @example
 * actEntry("handler.pause", "handler:mail.send", { by: { kind: "operator", id: "ada" }, reason: "it is down" })
 */
export function actEntry(
  action: string,
  resource: string,
  { by = PROGRAM, reason }: RequestedBy,
  more: JsonObject = {},
): AuditEntry {
  const details = { ...more, ...(reason !== undefined && { reason }) }
  return { action, resource, actor: by, ...(Object.keys(details).length > 0 && { details }) }
}
