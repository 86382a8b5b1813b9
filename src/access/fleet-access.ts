import { appendAudit, appendPlatformAudit } from "../audit/append-audit.ts"
import type { AuditActor, AuditEntry } from "../audit/audit-entry.ts"
import { FleetPromptError } from "../errors.ts"
import { selectRestrictions, upsertRestrictions } from "../store/restrictions.ts"
import { withinTenant } from "../store/within-tenant.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { accessEntry, DenialLog } from "./denial-log.ts"
import type { MembersDeps } from "./members.ts"
import { AccessPolicy, type Denied, NO_TENANT } from "./policy.ts"
import { type Restrictions, RestrictionsBook, storedRestrictions } from "./restrictions.ts"

/** What a fleet's decisions are told with. */
export interface FleetAccessDeps {
  readonly telemetry: Pick<Telemetry, "tell">
  /** What a running fleet has; undefined while it is not running: denials are then told as telemetry alone. */
  readonly running: () => MembersDeps | undefined
  /** Tells the other processes that the restrictions changed. */
  readonly announce: () => void
}

/** A fleet's decisions, and what notes them. */
export interface FleetAccess {
  readonly policy: AccessPolicy
  /** Another process may have changed the restrictions. */
  readonly doubt: () => void
  /** Resolves when every denial so far is in its audit log. */
  readonly flush: () => Promise<void>
}

/**
 * Decides for a fleet, tells what was denied as telemetry and notes it in the audit log of the caller's tenant.
 *
 * @throws FleetPromptError `config_invalid` when a restriction names what is no permission or no role
 */
export function fleetAccess(own: Restrictions, { telemetry, running, announce }: FleetAccessDeps): FleetAccess {
  const append = async (tenant: string, entries: readonly AuditEntry[]): Promise<void> => {
    const parts = running()
    if (!parts || tenant === NO_TENANT) return
    const scope = await parts.scopeOf(tenant)
    await withinTenant(parts.database, scope, (tx) => appendAudit(tx, scope, entries))
  }
  const onError = (error: unknown): void => telemetry.tell("background.failed", { step: "denials", error })
  const denials = new DenialLog({ append, onError })
  const restrictions = new RestrictionsBook(own, {
    read: async () => storedRestrictions(await readShared(running())),
    write: async (shared, actor) => {
      await writeShared(running(), shared, actor)
      announce()
    },
  })
  const policy = new AccessPolicy(restrictions, {
    onDenied: (denied) => {
      telemetry.tell("access.denied", told(denied))
      denials.add(denied)
    },
    onOperator: (principal, action, resource) =>
      append(resource.tenant ?? principal.tenant, [accessEntry(principal, action, resource)]),
  })
  return { policy, doubt: () => restrictions.doubt(), flush: () => denials.flush() }
}

async function readShared(parts: MembersDeps | undefined): Promise<unknown> {
  return selectRestrictions(runningParts(parts).database)
}

async function writeShared(parts: MembersDeps | undefined, shared: Restrictions, actor: AuditActor): Promise<void> {
  // Of texts and lists alone.
  const details = { ...shared } as Readonly<Record<string, readonly string[]>>
  await runningParts(parts).database.transaction(async (tx) => {
    await upsertRestrictions(tx, details)
    await appendPlatformAudit(tx, [{ action: "policies.restrict", resource: "policies:*", actor, details }])
  })
}

function runningParts(parts: MembersDeps | undefined): MembersDeps {
  if (parts) return parts
  throw new FleetPromptError("fleet_stopped", "expected a running fleet, this one is not; await fleet.start() first")
}

function told({ principal, action, resource, denial }: Denied) {
  const { tenant, kind, id, role } = principal
  return {
    tenant,
    principalKind: kind,
    principalId: id,
    role,
    action,
    resourceId: resource.id ?? null,
    reason: denial.kind,
  }
}
