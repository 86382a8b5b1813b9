import { emit, type EmitDeps } from "../emit/emit.ts"
import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { Queryable } from "../store/database.ts"
import type { LockedDirective, ToldStages } from "../store/directive-changes.ts"
import type { DirectiveRecord } from "../store/directives.ts"
import type { Directive, DirectiveFailure, TrailSignal, TrailStage } from "./directive.ts"

/** Source of what a run says. */
export const RUNNER_SOURCE = "job:directive_runner"
/** Source of what the doors say. */
const DOOR_SOURCE = "directives"

/** A directive of which signals are told, within the transaction that changes it. */
export interface Telling {
  readonly tx: Queryable
  readonly tenant: string
  readonly record: DirectiveRecord
  /** Undefined in a process that has none: its own domain's signals are then left out. */
  readonly definition: Directive | undefined
  /** As the schema reads them. */
  readonly params: unknown
  /** Handlers between the first signal of the cause and this directive. */
  readonly hops: number | undefined
  readonly deps: EmitDeps
}

/** `<domain>.requested`, `directive.requested`. */
export async function tellRequested(of: Telling): Promise<ToldStages> {
  const { record, definition } = of
  const domain = await tellDomain(of, "requested", DOOR_SOURCE, record.causationId)
  const params = definition?.signalParams ? { params: definition.signalParams(of.params) } : {}
  const data = { ...params, ...(record.rerunOf !== null && { rerun_of: record.rerunOf }) }
  const requested = await tellStage(of, "requested", data, DOOR_SOURCE, domain ?? record.causationId)
  return { ids: [...listed(domain), requested], requested }
}

/** `directive.started`, `<domain>.started`. */
export async function tellStarted(of: Telling, { requestedSignalId }: LockedDirective): Promise<ToldStages> {
  const started = await tellStage(of, "started", { attempt: of.record.attempt }, RUNNER_SOURCE, requestedSignalId)
  const domain = await tellDomain(of, "started", RUNNER_SOURCE, started)
  return { ids: [started, ...listed(domain)], started }
}

/** `<domain>.completed`, `directive.completed`. */
export async function tellCompleted(of: Telling, cause: string | null, result: JsonValue): Promise<ToldStages> {
  const { trail, summary } = definitionOf(of)
  const domain = await tellDomainSignal(of, "completed", trail.completed?.({ ...stageOf(of), result }), cause)
  const data = { attempt: of.record.attempt, result: summary(result) }
  return { ids: [...listed(domain), await tellStage(of, "completed", data, RUNNER_SOURCE, cause)] }
}

/** `<domain>.failed` or `.cancelled`, and that of the directive. @param isPlain leaves out the domain's own. */
export async function tellEnded(
  of: Telling,
  status: "failed" | "cancelled",
  cause: string | null,
  failure: DirectiveFailure,
  isPlain = false,
): Promise<ToldStages> {
  const source = of.record.startedAt === null ? DOOR_SOURCE : RUNNER_SOURCE
  const said = isPlain ? undefined : of.definition?.trail[status]?.({ ...stageOf(of), failure })
  const domain = await tellDomainSignal(of, status, said, cause)
  const data = { attempt: of.record.attempt, error_kind: failure.kind, error_message: failure.message }
  return { ids: [...listed(domain), await tellStage(of, status, data, source, cause)] }
}

/** `directive.approved`, which lets it run. */
export async function tellApproved(of: Telling, { requestedSignalId }: LockedDirective, role: string | null) {
  return { ids: [await tellStage(of, "approved", { approved_by_role: role }, DOOR_SOURCE, requestedSignalId)] }
}

/** `directive.cancel_requested`, which takes up one that rests between two attempts. */
export async function tellCancelRequested(of: Telling, { startedSignalId }: LockedDirective): Promise<ToldStages> {
  return { ids: [await tellStage(of, "cancel_requested", {}, DOOR_SOURCE, startedSignalId)] }
}

function stageOf({ record, tenant, params }: Telling): TrailStage {
  return { id: record.id, tenant, params, actor: record.actor, attempt: record.attempt }
}

/** Only a process that has the definition runs it. */
function definitionOf({ definition }: Telling): Pick<Directive, "trail" | "summary"> {
  return definition ?? { trail: {}, summary: () => null }
}

function tellStage(
  of: Telling,
  stage: string,
  more: JsonObject,
  source: string,
  causationId: string | null,
): Promise<string> {
  const { id, type, actor } = of.record
  const data = { directive_id: id, directive_type: type, actor_role: actor.role, ...more }
  return told(of, `directive.${stage}`, { data, source }, causationId)
}

async function tellDomain(
  of: Telling,
  stage: "requested" | "started",
  source: string,
  causationId: string | null,
): Promise<string | undefined> {
  const said = of.definition?.trail[stage]?.(stageOf(of))
  return said && tellDomainSignal(of, stage, { source, ...said }, causationId)
}

async function tellDomainSignal(
  of: Telling,
  stage: string,
  said: TrailSignal | undefined,
  causationId: string | null,
): Promise<string | undefined> {
  const domain = of.definition?.trail.domain ?? of.record.type
  return said && told(of, `${domain}.${stage}`, { source: RUNNER_SOURCE, ...said }, causationId)
}

type Said = TrailSignal & { readonly source: string }

/** What is known already under its key stays as it is. What looks like a secret is masked: nothing is stuck for it. */
async function told(of: Telling, type: string, said: Said, causationId: string | null): Promise<string> {
  const { record, tenant, tx, deps } = of
  const { signal } = await emit(
    tenant,
    type,
    said.data,
    {
      tx,
      source: said.source,
      subject: said.subject ?? `directive:${record.id}`,
      dedupeKey: said.dedupeKey ?? `job:${record.id}:${type}`,
      onConflict: "existing",
      onSecret: "redact",
      ...attributesOf(of, causationId),
    },
    deps,
  )
  return signal.id
}

/** What all signals of a directive have in common. */
export function attributesOf({ record, hops }: Pick<Telling, "record" | "hops">, causationId: string | null) {
  const { actor, actorUserId, correlationId, visibility } = record
  return {
    visibility,
    metadata: {
      correlation_id: correlationId,
      causation_id: causationId,
      ...(actorUserId !== null && { actor_user_id: actorUserId }),
      ...(actor.role !== null && { actor_role: actor.role }),
      ...(hops !== undefined && { hops }),
    },
  }
}

function listed(id: string | undefined): readonly string[] {
  return id === undefined ? [] : [id]
}
