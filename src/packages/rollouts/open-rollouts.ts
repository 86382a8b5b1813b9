import { system } from "../../access/acting.ts"
import { appendPlatformAudit } from "../../audit/append-audit.ts"
import { emit } from "../../emit/emit.ts"
import { FleetPromptError } from "../../errors.ts"
import { PLATFORM } from "../../guard/slug.ts"
import { isUuid } from "../../signal/id.ts"
import type { JsonObject } from "../../signal/json.ts"
import type { Transaction } from "../../store/database.ts"
import {
  type RolloutTenant,
  renewRolloutTenants,
  renewUpgraded,
  selectRolloutTenants,
} from "../../store/package-rollout-tenants.ts"
import {
  endRollout,
  type RolloutRecord,
  type RolloutStatus,
  restartRollout,
  selectRollout,
  selectRollouts,
} from "../../store/package-rollouts.ts"
import { ROLLOUT_REQUESTED } from "./rollout-handler.ts"
import { stateOf } from "./rollout-state.ts"
import { type RolloutsDeps, unknownRollout } from "./rollouts-deps.ts"
import type {
  RolloutDecision,
  RolloutRequest,
  Rollouts,
  RolloutState,
  RolloutTenantListOptions,
} from "./rollouts-door.ts"
import { insertStarted, versionToRollOut } from "./start-rollout.ts"

const MAX_LIMIT = 1_000

/** The rollouts of a fleet. */
export function openRollouts(deps: () => RolloutsDeps): Rollouts {
  return Object.freeze({
    start: async (request: RolloutRequest, decision: RolloutDecision = {}) => start(request, decision, deps()),
    get: async (id: string) => {
      const found = isUuid(id) ? await selectRollout(deps().database, id) : undefined
      return found && stateOf(deps().database, found)
    },
    list: async ({ package: slug, limit = 50 }: { readonly package?: string; readonly limit?: number } = {}) =>
      selectRollouts(deps().database, slug ?? null, checkLimit(limit)),
    tenants: async (id: string, options: RolloutTenantListOptions = {}) => listTenants(id, options, deps()),
    resume: async (id: string, decision: RolloutDecision & { readonly to?: string } = {}) =>
      resume(id, decision, deps()),
    cancel: async (id: string, decision: RolloutDecision = {}) => cancel(id, decision, deps()),
    rollback: async (id: string, decision: RolloutDecision = {}) => rollback(id, decision, deps()),
  })
}

async function start(request: RolloutRequest, decision: RolloutDecision, deps: RolloutsDeps): Promise<RolloutState> {
  authorise(decision)
  await deps.preparePlatform()
  const { actor } = decision.by ?? system
  const rollout = await deps.database.transaction(async (tx) => {
    const started = await insertStarted(tx, request, `${actor.kind}:${actor.id}`, deps)
    await begun(tx, "start", started, decision, deps)
    return started
  })
  return stateOf(deps.database, rollout)
}

async function resume(
  id: string,
  { to, ...decision }: RolloutDecision & { readonly to?: string },
  deps: RolloutsDeps,
): Promise<RolloutState> {
  return again("resume", id, ["stopped"], decision, deps, async (tx, there) => {
    const version = to === undefined ? there.version : await versionToRollOut(tx, there.package, to)
    await renewRolloutTenants(tx, id, version !== there.version)
    return restartRollout(tx, id, "running", version)
  })
}

async function rollback(id: string, decision: RolloutDecision, deps: RolloutsDeps): Promise<RolloutState> {
  const from = ["stopped", "completed", "cancelled", "rolled_back"] as const
  return again("rollback", id, from, decision, deps, async (tx) => {
    await renewUpgraded(tx, id)
    return restartRollout(tx, id, "rolling_back", null)
  })
}

/** Has it go on: the rows, the signal on which some process takes it up, and the entry in the audit log in one commit. */
async function again(
  what: "resume" | "rollback",
  id: string,
  from: readonly RolloutStatus[],
  decision: RolloutDecision,
  deps: RolloutsDeps,
  restart: (tx: Transaction, there: RolloutRecord) => Promise<RolloutRecord | undefined>,
): Promise<RolloutState> {
  authorise(decision)
  await deps.preparePlatform()
  const rollout = await deps.database.transaction(async (tx) => {
    const there = await lockIn(tx, id, from, what)
    const restarted = await restart(tx, there)
    if (!restarted) throw underWay(there.package)
    await begun(tx, what, restarted, decision, deps)
    return restarted
  })
  return stateOf(deps.database, rollout)
}

async function cancel(id: string, decision: RolloutDecision, { database }: RolloutsDeps): Promise<RolloutState> {
  authorise(decision)
  const rollout = await database.transaction(async (tx) => {
    const there = await lockIn(tx, id, ["running", "rolling_back", "stopped"], "cancel")
    const cancelled = await endRollout(tx, there, "cancelled", decision.reason ?? null)
    await note(tx, "cancel", there, decision)
    return cancelled ?? there
  })
  return stateOf(database, rollout)
}

function authorise({ by = system }: RolloutDecision): void {
  by.authorise("packages:roll_out", {})
}

async function lockIn(
  tx: Transaction,
  id: string,
  from: readonly RolloutStatus[],
  what: string,
): Promise<RolloutRecord> {
  const there = isUuid(id) ? await selectRollout(tx, id, true) : undefined
  if (!there) throw unknownRollout()
  if (from.includes(there.status)) return there
  throw new FleetPromptError(
    "rollout_state",
    `expected a rollout that is ${from.join(" or ")} for ${what}, it is ${there.status}; look at it with get`,
  )
}

async function begun(
  tx: Transaction,
  what: string,
  rollout: RolloutRecord,
  decision: RolloutDecision,
  { emitDeps }: RolloutsDeps,
): Promise<void> {
  const { id, run, gate } = rollout
  const data = { rollout_id: id, run, check: gate.check }
  const options = { tx, source: "fleetprompt.rollouts", dedupeKey: `package_rollout:${id}:${run}` }
  await emit(PLATFORM, ROLLOUT_REQUESTED, data, options, emitDeps)
  await note(tx, what, rollout, decision)
}

async function note(
  tx: Transaction,
  what: string,
  { id, package: slug, version }: RolloutRecord,
  { by = system, reason }: RolloutDecision,
): Promise<void> {
  const details: JsonObject = { rollout: id, version, ...(reason !== undefined && { reason }) }
  await appendPlatformAudit(tx, [
    { action: `package.rollout.${what}`, resource: `package:${slug}`, actor: by.actor, details },
  ])
}

/** Another one works on the package. */
function underWay(slug: string): FleetPromptError {
  return new FleetPromptError(
    "rollout_state",
    `expected no other rollout of ${slug} to be under way, there is one; wait for its end, or cancel it`,
  )
}

async function listTenants(
  id: string,
  { states, after, limit = 100 }: RolloutTenantListOptions,
  { database }: RolloutsDeps,
): Promise<readonly RolloutTenant[]> {
  if (!isUuid(id) || !(await selectRollout(database, id))) throw unknownRollout()
  return selectRolloutTenants(database, id, {
    limit: checkLimit(limit),
    ...(states && { states }),
    ...(after !== undefined && { after }),
  })
}

function checkLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw new FleetPromptError("query_invalid", `expected a whole number from 1 to ${MAX_LIMIT} as limit`)
}
