import { appendAudit } from "../audit/append-audit.ts"
import type { AuditActor } from "../audit/audit-entry.ts"
import type { JsonValue } from "../signal/json.ts"
import { endDirective, type LockedDirective } from "../store/directive-changes.ts"
import type { DirectiveRecord } from "../store/directives.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { DirectiveFailure } from "./directive.ts"
import { tellCompleted, tellEnded, type Telling } from "./stage-signals.ts"

/** The runner, in the audit log. */
export const RUNNER: AuditActor = { kind: "system", id: "directive_runner" }

/** What came of a directive. */
export type DirectiveOutcome =
  | { readonly status: "completed"; readonly result: JsonValue }
  | { readonly status: "failed" | "cancelled"; readonly failure: DirectiveFailure; readonly isPlain?: boolean }

/** Who ended it, for the audit log, where that is not what became of it by itself. */
export interface EndedBy {
  readonly actor: AuditActor
  readonly action: string
  readonly reason: string | null
}

/** Ends a directive that is locked: its row, its last signals and its entry in the audit log, in the caller's transaction. */
export async function endLocked(
  of: Telling,
  scope: TenantScope,
  locked: LockedDirective,
  outcome: DirectiveOutcome,
  by?: EndedBy,
): Promise<DirectiveRecord> {
  const cause = locked.startedSignalId ?? locked.requestedSignalId
  const { status } = outcome
  const failure = status === "completed" ? undefined : outcome.failure
  const { ids } =
    status === "completed"
      ? await tellCompleted(of, cause, outcome.result)
      : await tellEnded(of, status, cause, outcome.failure, outcome.isPlain)
  const ended = await endDirective(of.tx, scope, of.record.id, {
    status,
    result: status === "completed" ? outcome.result : null,
    errorKind: failure?.kind ?? null,
    errorMessage: failure?.message ?? null,
    errorDetails: failure?.details ?? {},
    trail: ids,
  })
  await appendAudit(of.tx, scope, [entryOf(ended, status, failure, by)])
  return ended
}

function entryOf(
  { id, type, attempt, correlationId }: DirectiveRecord,
  status: DirectiveOutcome["status"],
  failure: DirectiveFailure | undefined,
  by: EndedBy | undefined,
) {
  const told = failure && { errorKind: failure.kind, errorMessage: failure.message }
  return {
    action: by?.action ?? `directive.${status}`,
    resource: `directive:${id}`,
    actor: by?.actor ?? RUNNER,
    outcome: status === "failed" ? ("failed" as const) : ("done" as const),
    details: { type, status, attempt, ...(by ? { reason: by.reason } : told) },
    correlationId,
  }
}

/** Tells listeners what came of a directive, after the commit. @param error what was thrown, where that is known */
export function tellOutcome(
  telemetry: Telemetry,
  tenant: string,
  { id, type, status, attempt, correlationId, causationId, errorKind, startedAt, completedAt }: DirectiveRecord,
  error?: unknown,
): void {
  const durationMs = startedAt && completedAt ? completedAt.getTime() - startedAt.getTime() : 0
  const fields = { tenant, directiveId: id, type, correlationId, causationId, attempt, durationMs }
  const kind = errorKind ?? "error"
  if (status === "completed") telemetry.tell("directive.completed", fields)
  if (status === "failed") telemetry.tell("directive.failed", { ...fields, errorKind: kind, error })
  if (status === "cancelled") telemetry.tell("directive.cancelled", { ...fields, errorKind: kind })
}
