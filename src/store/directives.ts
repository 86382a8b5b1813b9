import { freezeJson, type JsonObject, type JsonValue } from "../signal/json.ts"
import type { StoredSignal, Visibility } from "../signal/stored-signal.ts"
import type { Queryable } from "./database.ts"
import { fromRecord, SIGNAL_COLUMNS, type SignalRecord } from "./signal-record.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Where a directive stands. The last three are for good. */
export type DirectiveStatus = "requested" | "running" | "completed" | "failed" | "cancelled"

/** Who requested or decided something, as they were then. */
export interface DirectiveActor {
  /** system: the program itself. */
  readonly kind: "user" | "api_key" | "service_account" | "operator" | "host" | "system"
  readonly id: string
  readonly role: string | null
}

/** What somebody ordered, and what came of it. */
export interface DirectiveRecord {
  readonly id: string
  readonly type: string
  readonly status: DirectiveStatus
  readonly params: JsonValue
  /** SHA-256 of the params as canonical JSON, hex. */
  readonly paramsChecksum: string
  /** What its run answered. */
  readonly result: JsonValue
  /** Why it failed or was cancelled: a code. While it runs: why the last attempt failed. */
  readonly errorKind: string | null
  readonly errorMessage: string | null
  readonly errorDetails: JsonObject
  readonly requestedAt: Date
  readonly startedAt: Date | null
  readonly completedAt: Date | null
  /** Not before this moment. */
  readonly runAt: Date | null
  /** When it has not begun by then, it is cancelled. */
  readonly expiresAt: Date | null
  readonly actor: DirectiveActor
  /** The id of the person of the platform who requested it, or whose API key did. */
  readonly actorUserId: string | null
  /** The person behind an API key: its owner, or who made it for a service account; null where nobody showed a key. */
  readonly actorPerson: string | null
  readonly reason: string | null
  readonly correlationId: string
  readonly causationId: string | null
  readonly idempotencyKey: string | null
  /** The directive that it repeats. */
  readonly rerunOf: string | null
  /** What was said at the request about what it will do. */
  readonly plan: JsonValue
  /** Who may read its signals. */
  readonly visibility: Visibility
  /** Null when none is needed. */
  readonly approval: "waiting" | "approved" | "rejected" | null
  /** Who approved or rejected it. */
  readonly decidedBy: DirectiveActor | null
  readonly decidedAt: Date | null
  readonly decisionReason: string | null
  /** Somebody wants it to end while it runs. */
  readonly cancelRequested: boolean
  /** The attempt that began last; 0 before the first. */
  readonly attempt: number
  readonly progress: DirectiveProgress | null
}

/** How far a run says it is. */
export interface DirectiveProgress {
  readonly done: number
  readonly total: number
  readonly text: string | null
}

/** A row of the table, as `toRecord` reads it. */
export type DirectiveRow = Omit<DirectiveRecord, "actor" | "decidedBy"> & {
  readonly actorKind: DirectiveActor["kind"]
  readonly actorId: string
  readonly actorRole: string | null
  readonly decidedKind: DirectiveActor["kind"] | null
  readonly decidedId: string | null
  readonly decidedRole: string | null
}

/** The columns that `toRecord` reads. */
export const DIRECTIVE_COLUMNS = `id, type, status, params, params_checksum as "paramsChecksum", result, error_kind as "errorKind",
  error_message as "errorMessage", error_details as "errorDetails", requested_at as "requestedAt",
  started_at as "startedAt", completed_at as "completedAt", run_at as "runAt", expires_at as "expiresAt",
  actor_kind as "actorKind", actor_id as "actorId", actor_role as "actorRole", actor_user_id as "actorUserId",
  actor_person as "actorPerson", reason,
  correlation_id as "correlationId", causation_id as "causationId", idempotency_key as "idempotencyKey",
  rerun_of as "rerunOf", plan, visibility, approval, decided_kind as "decidedKind", decided_id as "decidedId",
  decided_role as "decidedRole", decided_at as "decidedAt", decision_reason as "decisionReason",
  cancel_requested as "cancelRequested", attempt, progress`

/** A directive as it is told. */
export function toRecord(row: DirectiveRow): DirectiveRecord {
  const { actorKind, actorId, actorRole, decidedKind, decidedId, decidedRole, ...rest } = row
  const decidedBy = decidedKind && decidedId ? { kind: decidedKind, id: decidedId, role: decidedRole } : null
  return freezeJson({ ...rest, actor: { kind: actorKind, id: actorId, role: actorRole }, decidedBy })
}

/** A directive to be stored. */
export interface NewDirective
  extends
    Pick<DirectiveRecord, "id" | "type" | "params" | "paramsChecksum" | "runAt" | "expiresAt" | "actor">,
    Pick<DirectiveRecord, "actorUserId" | "reason" | "correlationId" | "causationId" | "idempotencyKey" | "rerunOf">,
    Pick<DirectiveRecord, "visibility" | "actorPerson"> {
  readonly plan: JsonValue
  readonly needsApproval: boolean
  /** Id of the API key that was shown. */
  readonly actorKey: string | null
}

/**
 * Stores a directive.
 *
 * @returns undefined when the tenant has one under its idempotency key.
 */
export async function insertDirective(
  tx: Queryable,
  scope: TenantScope,
  { actor, runAt, expiresAt, needsApproval, ...directive }: NewDirective,
): Promise<DirectiveRecord | undefined> {
  const [row] = await tx.query<DirectiveRow>(
    `/* insertDirective */ insert into ${scope.schema}.directives
       (tenant, id, type, params, params_checksum, run_at, expires_at, actor_kind, actor_id, actor_role, actor_user_id,
        actor_key, actor_person, reason, correlation_id, causation_id, idempotency_key, rerun_of, plan, visibility, approval)
     values ($1, $2::text::uuid, $3, $4::text::jsonb, $5, $6::text::timestamptz, $7::text::timestamptz, $8, $9, $10,
       $11::text::uuid, $12, $13, $14, $15, $16::text::uuid, $17, $18::text::uuid, $19::text::jsonb, $20, $21)
     on conflict do nothing returning ${DIRECTIVE_COLUMNS}`,
    [
      scope.slug,
      directive.id,
      directive.type,
      JSON.stringify(directive.params),
      directive.paramsChecksum,
      runAt?.toISOString() ?? null,
      expiresAt?.toISOString() ?? null,
      actor.kind,
      actor.id,
      actor.role,
      directive.actorUserId,
      directive.actorKey,
      directive.actorPerson,
      directive.reason,
      directive.correlationId,
      directive.causationId,
      directive.idempotencyKey,
      directive.rerunOf,
      directive.plan === null ? null : JSON.stringify(directive.plan),
      directive.visibility,
      needsApproval ? "waiting" : null,
    ],
  )
  return row && toRecord(row)
}

/** One directive. */
export async function selectDirective(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<DirectiveRecord | undefined> {
  const [row] = await tx.query<DirectiveRow>(
    `/* selectDirective */ select ${DIRECTIVE_COLUMNS} from ${scope.schema}.directives where tenant = $1 and id = $2::text::uuid`,
    [scope.slug, id],
  )
  return row && toRecord(row)
}

/** The directive that has an idempotency key. */
export async function selectDirectiveByKey(
  tx: Queryable,
  scope: TenantScope,
  key: string,
): Promise<DirectiveRecord | undefined> {
  const [row] = await tx.query<DirectiveRow>(
    `/* selectDirectiveByKey */ select ${DIRECTIVE_COLUMNS} from ${scope.schema}.directives
     where tenant = $1 and idempotency_key = $2`,
    [scope.slug, key],
  )
  return row && toRecord(row)
}

/** Which directives to list. */
export interface DirectiveFilter {
  readonly status: DirectiveStatus | null
  readonly type: string | null
  readonly actor: string | null
  readonly awaitingApproval: boolean | null
  /** Only those before this id. */
  readonly before: string | null
  readonly limit: number
}

/** Directives, newest first. */
export async function selectDirectives(
  tx: Queryable,
  scope: TenantScope,
  { status, type, actor, awaitingApproval, before, limit }: DirectiveFilter,
): Promise<readonly DirectiveRecord[]> {
  const rows = await tx.query<DirectiveRow>(
    `/* selectDirectives */ select ${DIRECTIVE_COLUMNS} from ${scope.schema}.directives
     where tenant = $1 and ($2::text is null or status = $2) and ($3::text is null or type = $3)
       and ($4::text is null or actor_id = $4) and ($5::text is null or id < $5::text::uuid)
       and ($6::boolean is null or (status = 'requested' and approval is not distinct from 'waiting') = $6)
     order by id desc limit $7`,
    [scope.slug, status, type, actor, before, awaitingApproval, limit],
  )
  return rows.map(toRecord)
}

/**
 * Signals of stages by their ids, and those that the run emitted: direct effects of them under the source of runs. In the
 * order in which they were stored.
 */
export async function selectDirectiveTrail(
  tx: Queryable,
  scope: TenantScope,
  id: string,
  runSource: string,
): Promise<readonly StoredSignal[]> {
  const rows = await tx.query<SignalRecord>(
    `/* selectDirectiveTrail */ with stages as (
       select unnest(trail) as id from ${scope.schema}.directives where tenant = $1 and id = $2::text::uuid
     ), wanted as (
       select id from stages
       union
       select effect_id from ${scope.schema}.effects join stages on cause_id = stages.id
       join ${scope.schema}.signals on signals.tenant = $1 and signals.id = effect_id and source = $3
       where effects.tenant = $1
     )
     select ${SIGNAL_COLUMNS} from ${scope.schema}.signals
     where tenant = $1 and id = any (array(select id from wanted)) order by tx_id, position`,
    [scope.slug, id, runSource],
  )
  return rows.map(fromRecord)
}
