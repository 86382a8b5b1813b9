import type { Permission } from "../access/policies.ts"
import { appendAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import type { Transaction } from "../store/database.ts"
import {
  appendDirectiveTrail,
  decideDirective,
  lockDirective,
  type LockedDirective,
  requestDirectiveCancel,
} from "../store/directive-changes.ts"
import { type DirectiveRecord, selectDirective } from "../store/directives.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { checkId, type DirectivesDeps, scopeOfDirectives, unknownDirective } from "./directives-deps.ts"
import type { DirectiveDecision } from "./directives-door.ts"
import { endLocked, tellOutcome } from "./end-directive.ts"
import { readParams } from "./read-params.ts"
import { auditActor, checkDecision, recordedActor } from "./request-options.ts"
import { tellApproved, tellCancelRequested, type Telling } from "./stage-signals.ts"

/** A directive that somebody decides about, locked until the transaction ends. */
interface Decided {
  readonly tx: Transaction
  readonly scope: TenantScope
  readonly locked: LockedDirective
  readonly telling: Telling
  readonly decision: DirectiveDecision
}

/** Lets a directive run that waits for an approval. @throws FleetPromptError see `TenantDirectives.approve` */
export async function approveDirective(
  slug: string,
  id: string,
  decision: DirectiveDecision,
  deps: DirectivesDeps,
): Promise<DirectiveRecord> {
  const decided = await decide(slug, id, "directives:confirm", decision, deps, async (of) => {
    const { record } = of.locked
    checkOther(record, decision)
    if (record.approval === "approved") return
    checkWaits(of.locked, "approved")
    await note(of, "approved")
    const told = await tellApproved(of.telling, of.locked, recordedActor(decision.actor).role)
    await appendDirectiveTrail(of.tx, of.scope, id, told)
    await appendAudit(of.tx, of.scope, [entryOf(of, "directive.approve")])
  })
  return decided.now
}

/** Cancels a directive that waits for an approval. @throws FleetPromptError see `TenantDirectives.reject` */
export async function rejectDirective(
  slug: string,
  id: string,
  decision: DirectiveDecision,
  deps: DirectivesDeps,
): Promise<DirectiveRecord> {
  const { before, now } = await decide(slug, id, "directives:confirm", decision, deps, async (of) => {
    const { record } = of.locked
    checkOther(record, decision)
    if (record.approval === "rejected") return
    checkWaits(of.locked, "rejected")
    await note(of, "rejected")
    await endOpen(of, "rejected", "directive.reject")
  })
  if (before.status !== now.status) tellOutcome(deps.telemetry, slug, now)
  return now
}

/** Ends a directive, or asks its run to. @throws FleetPromptError see `TenantDirectives.cancel` */
export async function cancelDirective(
  slug: string,
  id: string,
  decision: DirectiveDecision,
  deps: DirectivesDeps,
): Promise<DirectiveRecord> {
  const { before, now } = await decide(slug, id, "directives:cancel", decision, deps, async (of) => {
    const { record } = of.locked
    switch (record.status) {
      case "requested":
        return endOpen(of, "cancelled", "directive.cancel")
      case "running":
        return record.cancelRequested ? undefined : askToEnd(of)
      case "cancelled":
        return undefined
      case "completed":
      case "failed":
        throw wrongState(record, "cancelled", "its effects stay; request what takes them back")
    }
  })
  if (now.status === "running") deps.directives.running.cancel(slug, now.id)
  if (before.status !== now.status) tellOutcome(deps.telemetry, slug, now)
  return now
}

/** How a directive was, and is. */
interface Change {
  readonly before: DirectiveRecord
  readonly now: DirectiveRecord
}

/** Asks whether the actor may, and changes the directive in one commit. */
async function decide(
  slug: string,
  given: string,
  permission: Permission,
  decision: DirectiveDecision,
  deps: DirectivesDeps,
  change: (of: Decided) => Promise<void>,
): Promise<Change> {
  checkDecision(decision)
  const id = checkId(given)
  const scope = await scopeOfDirectives(slug, deps)
  const found = await withinTenant(deps.database, scope, (tx) => selectDirective(tx, scope, id))
  if (decision.actor)
    await deps.access.admit(decision.actor, permission, {
      tenant: slug,
      id: `directive:${id}`,
      ...(found && { belongsTo: found.actor.id }),
    })
  if (!found) throw unknownDirective()
  // What the schema makes of the params is asked before the transaction: it may take its time.
  const { definition, params } = await readParams(found, deps.directives.definitions)
  return withinTenant(deps.database, scope, async (tx) => {
    const locked = await lockDirective(tx, scope, id)
    if (!locked) throw unknownDirective()
    const telling = { tx, tenant: slug, record: locked.record, definition, params, hops: undefined, deps }
    await change({ tx, scope, locked, telling, decision })
    return { before: locked.record, now: (await selectDirective(tx, scope, id)) ?? locked.record }
  })
}

function note({ tx, scope, locked, decision }: Decided, approval: "approved" | "rejected"): Promise<void> {
  const { actor, reason = null } = decision
  return decideDirective(tx, scope, locked.record.id, { approval, by: recordedActor(actor), reason })
}

/** Ends one that has not begun. */
async function endOpen(
  { telling, scope, locked, decision }: Decided,
  kind: "cancelled" | "rejected",
  action: string,
): Promise<void> {
  const { actor, reason = null } = decision
  const by = auditActor(actor)
  const message = reason ?? `${kind} by ${by.kind}:${by.id}`
  const failure = { kind, message, details: { by: `${by.kind}:${by.id}` } }
  await endLocked(telling, scope, locked, { status: "cancelled", failure }, { actor: by, action, reason })
}

async function askToEnd(of: Decided): Promise<void> {
  const { tx, scope, locked, telling, decision } = of
  await requestDirectiveCancel(tx, scope, locked.record.id, decision.reason ?? null)
  await appendDirectiveTrail(tx, scope, locked.record.id, await tellCancelRequested(telling, locked))
  await appendAudit(tx, scope, [entryOf(of, "directive.cancel")])
}

function entryOf({ locked: { record }, decision }: Decided, action: string) {
  const { id, type, correlationId, status } = record
  const { actor, reason = null } = decision
  const details = { type, status, reason }
  return { action, resource: `directive:${id}`, actor: auditActor(actor), details, correlationId }
}

/** Four eyes. @throws FleetPromptError `forbidden` */
function checkOther({ actor, actorPerson }: DirectiveRecord, decision: DirectiveDecision): void {
  const by = auditActor(decision.actor)
  if (by.id !== actor.id && by.id !== actorPerson) return
  throw new FleetPromptError(
    "forbidden",
    "expected somebody else than who requested the directive to decide about it, got the same; ask another owner or admin",
  )
}

/** @throws FleetPromptError `directive_state` */
function checkWaits({ record, expiresInMs }: LockedDirective, what: string): void {
  if (record.status !== "requested" || record.approval !== "waiting")
    throw wrongState(record, what, "only what waits for an approval can be")
  if (expiresInMs !== null && expiresInMs <= 0) throw wrongState(record, what, "it has expired; request it again")
}

function wrongState({ id, status, approval }: DirectiveRecord, what: string, remedy: string): FleetPromptError {
  const state = approval === null || status !== "requested" ? status : `${status}, approval ${approval}`
  return new FleetPromptError(
    "directive_state",
    `expected a directive that can be ${what}, ${id} is ${state}; ${remedy}`,
  )
}
