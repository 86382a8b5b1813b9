import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { Queryable } from "./database.ts"
import {
  DIRECTIVE_COLUMNS,
  type DirectiveActor,
  type DirectiveRecord,
  type DirectiveRow,
  toRecord,
} from "./directives.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** A directive whose row nobody else changes until the transaction ends, with what its run goes by. */
export interface LockedDirective {
  readonly record: DirectiveRecord
  /** Milliseconds until it is due, by the database's clock; 0 and less: it is. */
  readonly dueInMs: number
  /** Milliseconds until it expires; null: never. */
  readonly expiresInMs: number | null
  /** Since it changed last, or was due. */
  readonly idleMs: number
  readonly cancelReason: string | null
  /** How it will end once it is undone; null while it is not being undone. */
  readonly ending: "failed" | "cancelled" | null
  readonly failures: number
  readonly runToken: string
  /** Ids of `directive.requested` and `directive.started`, from which the other signals come. */
  readonly requestedSignalId: string | null
  readonly startedSignalId: string | null
}

type Rest = Omit<LockedDirective, "record">

/** Reads a directive and keeps others from changing it until the transaction ends. */
export async function lockDirective(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<LockedDirective | undefined> {
  const [row] = await tx.query<DirectiveRow & Rest>(
    `/* lockDirective */ select ${DIRECTIVE_COLUMNS},
       (extract(epoch from coalesce(run_at, requested_at) - clock_timestamp()) * 1000)::float8 as "dueInMs",
       (extract(epoch from expires_at - clock_timestamp()) * 1000)::float8 as "expiresInMs",
       (extract(epoch from clock_timestamp() - greatest(updated_at, run_at)) * 1000)::float8 as "idleMs",
       cancel_reason as "cancelReason", ending, failures, run_token::text as "runToken",
       requested_signal_id as "requestedSignalId", started_signal_id as "startedSignalId"
     from ${scope.schema}.directives where tenant = $1 and id = $2::text::uuid for update`,
    [scope.slug, id],
  )
  if (!row) return undefined
  const { dueInMs, expiresInMs, idleMs, cancelReason, ending, failures, runToken, ...rest } = row
  const { requestedSignalId, startedSignalId, ...columns } = rest
  const more = { dueInMs, expiresInMs, idleMs, cancelReason, ending, failures, runToken }
  return { record: toRecord(columns), ...more, requestedSignalId, startedSignalId }
}

/** Signals of a directive's stages, in order, and which of them those that follow come from. */
export interface ToldStages {
  readonly ids: readonly string[]
  /** Id of `directive.requested`, when it is one of them. */
  readonly requested?: string
  /** Id of `directive.started`, when it is one of them. */
  readonly started?: string
}

/** Notes which signals tell of a directive. */
export async function appendDirectiveTrail(
  tx: Queryable,
  scope: TenantScope,
  id: string,
  { ids, requested, started }: ToldStages,
): Promise<void> {
  await tx.query(
    `/* appendDirectiveTrail */ update ${scope.schema}.directives
     set trail = trail || $3::uuid[], requested_signal_id = coalesce($4::text::uuid, requested_signal_id),
       started_signal_id = coalesce($5::text::uuid, started_signal_id)
     where tenant = $1 and id = $2::text::uuid`,
    [scope.slug, id, ids, requested ?? null, started ?? null],
  )
}

/** Begins an attempt at a directive that is locked. Whoever ran it before writes nothing any more. */
export async function beginDirective(
  tx: Queryable,
  scope: TenantScope,
  id: string,
  attempt: number,
): Promise<{ readonly record: DirectiveRecord; readonly runToken: string }> {
  const [row] = await tx.query<DirectiveRow & { readonly runToken: string }>(
    `/* beginDirective */ update ${scope.schema}.directives
     set status = 'running', started_at = coalesce(started_at, now()), attempt = $3, run_token = run_token + 1,
       updated_at = now()
     where tenant = $1 and id = $2::text::uuid returning ${DIRECTIVE_COLUMNS}, run_token::text as "runToken"`,
    [scope.slug, id, attempt],
  )
  // It is locked by this transaction, so it is there.
  const { runToken, ...rest } = row as DirectiveRow & { readonly runToken: string }
  return { record: toRecord(rest), runToken }
}

/** Who approved or rejected a directive. */
export interface Decision {
  readonly approval: "approved" | "rejected"
  readonly by: DirectiveActor
  readonly reason: string | null
}

/** Notes what was decided about a directive that is locked and waits for it. */
export async function decideDirective(
  tx: Queryable,
  scope: TenantScope,
  id: string,
  { approval, by, reason }: Decision,
): Promise<void> {
  await tx.query(
    `/* decideDirective */ update ${scope.schema}.directives
     set approval = $3, decided_kind = $4, decided_id = $5, decided_role = $6, decision_reason = $7, decided_at = now(),
       updated_at = now()
     where tenant = $1 and id = $2::text::uuid`,
    [scope.slug, id, approval, by.kind, by.id, by.role, reason],
  )
}

/** Asks a directive that runs, and is locked, to end. */
export async function requestDirectiveCancel(
  tx: Queryable,
  scope: TenantScope,
  id: string,
  reason: string | null,
): Promise<void> {
  await tx.query(
    `/* requestDirectiveCancel */ update ${scope.schema}.directives
     set cancel_requested = true, cancel_reason = $3, updated_at = now() where tenant = $1 and id = $2::text::uuid`,
    [scope.slug, id, reason],
  )
}

/** How a directive ends. */
export interface DirectiveEnd {
  readonly status: "completed" | "failed" | "cancelled"
  readonly result: JsonValue
  readonly errorKind: string | null
  readonly errorMessage: string | null
  readonly errorDetails: JsonObject
  readonly trail: readonly string[]
}

/** Ends a directive that is locked, for good. */
export async function endDirective(
  tx: Queryable,
  scope: TenantScope,
  id: string,
  { status, result, errorKind, errorMessage, errorDetails, trail }: DirectiveEnd,
): Promise<DirectiveRecord> {
  const [row] = await tx.query<DirectiveRow>(
    `/* endDirective */ update ${scope.schema}.directives
     set status = $3, result = $4::text::jsonb, error_kind = $5, error_message = $6, error_details = $7::text::jsonb,
       trail = trail || $8::uuid[], completed_at = now(), updated_at = now()
     where tenant = $1 and id = $2::text::uuid returning ${DIRECTIVE_COLUMNS}`,
    [
      scope.slug,
      id,
      status,
      status === "completed" ? JSON.stringify(result) : null,
      errorKind,
      errorMessage,
      JSON.stringify(errorDetails),
      trail,
    ],
  )
  // It is locked by this transaction, so it is there.
  return toRecord(row as DirectiveRow)
}
