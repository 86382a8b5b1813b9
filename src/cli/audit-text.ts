import type { LoggedAuditEntry } from "../audit/audit-list.ts"
import type { AuditReport } from "../audit/verify-audit.ts"
import { formatCount } from "./progress-bar.ts"

/** A report for people: one line when all is well, else one for each finding. */
export function reportText(report: AuditReport): string {
  const { tenant, ok, signed, rows, waiting, findings, findingCount, head } = report
  const name = tenant === "*" ? "platform" : tenant
  const signature = signed && head ? `signed ${head.signedAt} by key ${head.keyId}` : "not signed"
  const summary = `${ok ? "ok    " : "BROKEN"}  ${name}: ${formatCount(rows)} rows, ${head ? signature : "no entry yet"}`
  const late = waiting > 0 ? [`        ${waiting} entries wait for their places`] : []
  const more = findingCount > findings.length ? [`        and ${findingCount - findings.length} more`] : []
  return [summary, ...late, ...findings.map(({ kind, message }) => `        ${kind}: ${message}`), ...more].join("\n")
}

/** An entry in one line. */
export function auditLine({ position, occurredAt, actor, action, resource, outcome }: LoggedAuditEntry): string {
  const time = `${occurredAt.slice(0, 19)}Z`
  const role = actor.role === null ? "" : ` (${actor.role})`
  return `${position}  ${time}  ${actor.kind}:${actor.id}${role}  ${action}  ${resource}  ${outcome}`
}
