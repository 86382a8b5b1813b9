import type { AuditActor } from "../audit/audit-entry.ts"
import type { Principal } from "./principal.ts"

/** A principal as the audit log names it. */
export function actorOf({ kind, id, role }: Principal): AuditActor {
  return { kind, id, role }
}
