import type { Principal } from "../access/principal.ts"
import { appendAudit } from "../audit/append-audit.ts"
import { MAX_HOPS } from "../emit/emit-for-handler.ts"
import { FleetPromptError } from "../errors.ts"
import { isUuid, newId } from "../signal/id.ts"
import type { JsonValue } from "../signal/json.ts"
import { selectApiKey } from "../store/api-keys.ts"
import type { Queryable } from "../store/database.ts"
import { appendDirectiveTrail } from "../store/directive-changes.ts"
import { type DirectiveRecord, insertDirective, type NewDirective, selectDirectiveByKey } from "../store/directives.ts"
import { type JoinableTransaction, joinTransaction } from "../store/joined-transaction.ts"
import { asTenant } from "../store/roles.ts"
import { selectSignals } from "../store/signals.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { checkParams, checksumOf, storableInput } from "./directive-params.ts"
import type { Directive } from "./directive.ts"
import { type DirectivesDeps, scopeOfDirectives } from "./directives-deps.ts"
import type { DirectiveRequest, DirectiveRequested } from "./directives-door.ts"
import { definitionOf } from "./known-directives.ts"
import { auditActor, checkRequest, recordedActor } from "./request-options.ts"
import { tellRequested } from "./stage-signals.ts"

/** How a directive is requested, or one that has ended once more. */
export interface FullRequest extends DirectiveRequest {
  /** Id of the directive that it repeats. */
  readonly rerunOf?: string
}

/**
 * Orders something: the directive, its signals, its place in the queue and its entry in the audit log, in one commit.
 *
 * @throws FleetPromptError see `TenantDirectives.request`
 */
export async function requestDirective(
  slug: string,
  directive: string | Directive,
  given: unknown,
  request: FullRequest,
  deps: DirectivesDeps,
): Promise<DirectiveRequested> {
  const definition = definitionOf(directive, deps.directives.definitions)
  checkRequest(request)
  await mayRequest(slug, definition, request, deps)
  const checked = await checkParams(definition, given)
  const params = storableInput(checked, "params")
  const key = request.idempotencyKey ?? definition.idempotencyKey?.(checked, { tenant: slug })
  // A key of the definition's is checked as one of the caller's.
  checkRequest({ ...(key !== undefined && { idempotencyKey: key }) })
  const fresh = newDirective(definition, params, checked, {
    ...request,
    ...(key !== undefined && { idempotencyKey: key }),
  })
  const requested = await within(slug, request.tx, deps, (tx, scope) =>
    insertRequested(tx, scope, fresh, { definition, params: checked, request }, deps),
  )
  if (requested.inserted) tellTelemetry(slug, requested.directive, deps)
  return requested
}

/** The policy decides, then the definition. In a caller's transaction nothing may be asked beside it. */
async function mayRequest(
  slug: string,
  { type, roles }: Directive,
  { actor, tx }: FullRequest,
  { access, telemetry }: DirectivesDeps,
): Promise<void> {
  if (!actor) return
  if (tx) access.authorise(actor, "directives:request", { tenant: slug })
  else await access.admit(actor, "directives:request", { tenant: slug })
  if (roles.includes(actor.role)) return
  telemetry.tell("access.denied", deniedBy(actor, type))
  throw new FleetPromptError(
    "forbidden",
    `expected the role ${roles.join(" or ")} to request "${type}", got ${actor.role}; ask somebody who has it`,
  )
}

function deniedBy({ tenant, kind, id, role }: Principal, type: string) {
  const action = "directives:request"
  return { tenant, principalKind: kind, principalId: id, role, action, resourceId: type, reason: "role" as const }
}

function newDirective(
  { type, visibility, needsApproval }: Directive,
  params: JsonValue,
  checked: unknown,
  request: FullRequest,
): NewDirective {
  const { actor, plan } = request
  const id = newId()
  return {
    id,
    type,
    params,
    paramsChecksum: checksumOf(params),
    runAt: request.runAt ?? null,
    expiresAt: request.expiresAt ?? null,
    actor: recordedActor(actor),
    actorUserId: actor?.kind === "user" && isUuid(actor.id) ? actor.id : null,
    actorKey: actor?.key ?? null,
    actorPerson: null,
    reason: request.reason ?? null,
    correlationId: request.correlationId ?? id,
    causationId: request.causationId ?? null,
    idempotencyKey: request.idempotencyKey ?? null,
    rerunOf: request.rerunOf ?? null,
    visibility,
    plan: plan === undefined ? null : storableInput(plan, "plan"),
    needsApproval: needsApproval(checked),
  }
}

/** In the caller's transaction, or in one of its own. */
async function within<Result>(
  slug: string,
  given: JoinableTransaction | undefined,
  deps: DirectivesDeps,
  run: (tx: Queryable, scope: TenantScope) => Promise<Result>,
): Promise<Result> {
  const tx = given && joinTransaction(given)
  const scope = await scopeOfDirectives(slug, deps, tx)
  return tx ? asTenant(tx, scope, () => run(tx, scope)) : withinTenant(deps.database, scope, (own) => run(own, scope))
}

/** What a request was made of. */
interface Made {
  readonly definition: Directive
  readonly params: unknown
  readonly request: FullRequest
}

async function insertRequested(
  tx: Queryable,
  scope: TenantScope,
  fresh: NewDirective,
  { definition, params, request }: Made,
  deps: DirectivesDeps,
): Promise<DirectiveRequested> {
  const record = await insertDirective(tx, scope, { ...fresh, ...(await personBehind(tx, scope, fresh)) })
  if (!record) return { directive: await existing(tx, scope, fresh), inserted: false }
  const hops = await hopsOf(tx, scope, record)
  const told = await tellRequested({ tx, tenant: scope.slug, record, definition, params, hops, deps })
  await appendDirectiveTrail(tx, scope, record.id, told)
  const { id, type, paramsChecksum, idempotencyKey, rerunOf, reason, approval, correlationId } = record
  const details = { type, paramsChecksum, idempotencyKey, rerunOf, reason, approval }
  const action = rerunOf === null ? "directive.request" : "directive.rerun"
  const actor = auditActor(request.actor)
  await appendAudit(tx, scope, [{ action, resource: `directive:${id}`, actor, details, correlationId }])
  return { directive: record, inserted: true }
}

/** Whoever asks by a key is no second pair of eyes for it. */
async function personBehind(
  tx: Queryable,
  scope: TenantScope,
  { actorKey, actorUserId }: NewDirective,
): Promise<Pick<NewDirective, "actorPerson" | "actorUserId">> {
  const key = actorKey === null ? undefined : await selectApiKey(tx, scope, actorKey)
  if (!key) return { actorPerson: null, actorUserId }
  const { owner, createdBy } = key
  if (owner.kind === "service_account") return { actorPerson: personOf(createdBy), actorUserId }
  return { actorPerson: owner.id, actorUserId: owner.kind === "user" && isUuid(owner.id) ? owner.id : null }
}

/** Of `kind:id`. */
function personOf(actor: string | null): string | null {
  return actor === null ? null : actor.slice(actor.indexOf(":") + 1)
}

/** @throws FleetPromptError `directive_conflict` */
async function existing(tx: Queryable, scope: TenantScope, fresh: NewDirective): Promise<DirectiveRecord> {
  const { idempotencyKey, type, paramsChecksum } = fresh
  const found = idempotencyKey === null ? undefined : await selectDirectiveByKey(tx, scope, idempotencyKey)
  if (!found)
    throw new FleetPromptError("database_busy", "a directive with the same key was removed meanwhile; try again")
  if (found.type === type && found.paramsChecksum === paramsChecksum) return found
  throw new FleetPromptError(
    "directive_conflict",
    `expected the same type and params under the idempotency key "${idempotencyKey}", got ${type} with params of checksum ${paramsChecksum}; directive ${found.id} is ${found.type} with params of checksum ${found.paramsChecksum}: use another key for another order`,
    { path: "idempotencyKey" },
  )
}

/** How many handlers stand before it: those of its cause, and one. @throws FleetPromptError `hop_limit` */
async function hopsOf(
  tx: Queryable,
  scope: TenantScope,
  { causationId, type }: DirectiveRecord,
): Promise<number | undefined> {
  if (causationId === null) return undefined
  const [cause] = await selectSignals(tx, scope, [causationId])
  const hops = (cause?.metadata.hops ?? 0) + 1
  if (hops <= MAX_HOPS) return hops
  throw new FleetPromptError(
    "hop_limit",
    `expected a chain of at most ${MAX_HOPS} signals before "${type}", this one goes on; look for handlers and directives that cause each other`,
  )
}

function tellTelemetry(
  tenant: string,
  { id, type, correlationId, causationId }: DirectiveRecord,
  deps: DirectivesDeps,
) {
  deps.telemetry.tell("directive.requested", { tenant, directiveId: id, type, correlationId, causationId })
}
