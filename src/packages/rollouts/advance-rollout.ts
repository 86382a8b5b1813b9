/**
 * Carries a rollout on, a few tenants at a time.
 *
 * The rows are the authority: that of the rollout says in which run and wave it is, those of its tenants what became of
 * each. A pass may be cut anywhere and done twice, also by two processes at once: a tenant's directive has a key made of
 * the rollout, the tenant and the round, and whatever is noted is noted only as long as the same run and round are under
 * way. Nothing waits here: what has to wait is looked at again after a snooze, so that no place of a worker is held.
 */
import { appendPlatformAudit } from "../../audit/append-audit.ts"
import { isFleetPromptError } from "../../errors.ts"
import {
  assignWave,
  countRolloutTenants,
  type RolloutCount,
  type RolloutTenantState,
  selectRolloutTenants,
} from "../../store/package-rollout-tenants.ts"
import { beginWave, endRollout, noteVerdict, type RolloutRecord, selectRollout } from "../../store/package-rollouts.ts"
import { isTransient } from "../../store/transient.ts"
import { restoreTenant } from "./restore-tenant.ts"
import type { RolloutHealth } from "./rollout-check.ts"
import type { RolloutsDeps } from "./rollouts-deps.ts"
import { settleTenant } from "./settle-tenant.ts"
import { upgradeTenant } from "./upgrade-tenant.ts"

/** How soon what is under way is looked at again, milliseconds. */
const LOOK_MS = 500
const LONGEST_REST_MS = 60_000
/** Tenants that a check is given. */
const MAX_CHECKED = 500
const PROGRAM = { kind: "system", id: "fleet" } as const

/**
 * Does what can be done now.
 *
 * @returns after how many milliseconds to look again; undefined when this run of it is over
 */
export async function advanceRollout(
  of: Pick<RolloutRecord, "id" | "run">,
  deps: RolloutsDeps,
  abort: AbortSignal,
): Promise<number | undefined> {
  for (;;) {
    abort.throwIfAborted()
    const rollout = await selectRollout(deps.database, of.id)
    if (!rollout || rollout.run !== of.run) return undefined
    const laterMs = await pass(rollout, deps, abort)
    if (laterMs !== 0) return laterMs
  }
}

/** @returns 0 to go on at once */
async function pass(rollout: RolloutRecord, deps: RolloutsDeps, abort: AbortSignal): Promise<number | undefined> {
  const { database } = deps
  const flying = { states: ["upgrading", "restoring"], limit: rollout.concurrency * 2 } as const
  const open = await selectRolloutTenants(database, rollout.id, flying)
  await Promise.all(open.map((each) => settleTenant(rollout, each, deps)))
  const counts = await countRolloutTenants(database, rollout.id)
  switch (rollout.status) {
    case "running":
      return forward(rollout, counts, deps, abort)
    case "rolling_back":
      return back(rollout, counts, deps)
    case "stopped":
    case "cancelled":
    case "completed":
    case "rolled_back":
      // What was begun ends.
      return flyingIn(counts) > 0 ? LOOK_MS : undefined
  }
}

function sumOf(counts: readonly RolloutCount[], fits: (count: RolloutCount) => boolean): number {
  return counts.filter(fits).reduce((sum, { count }) => sum + count, 0)
}

function stateCount(counts: readonly RolloutCount[], ...states: readonly RolloutTenantState[]): number {
  return sumOf(counts, ({ state }) => states.includes(state))
}

function flyingIn(counts: readonly RolloutCount[]): number {
  return stateCount(counts, "upgrading", "restoring")
}

async function forward(
  rollout: RolloutRecord,
  counts: readonly RolloutCount[],
  deps: RolloutsDeps,
  abort: AbortSignal,
): Promise<number | undefined> {
  const flying = flyingIn(counts)
  const failed = stateCount(counts, "failed")
  if (failed > rollout.maxFailed) return flying > 0 ? LOOK_MS : stopFailed(rollout, failed, counts, deps)
  const pending = sumOf(counts, ({ state, wave }) => state === "pending" && wave !== null)
  if (pending > 0) return beginSome(rollout, flying, deps)
  if (flying > 0) return LOOK_MS
  if (await growCanary(rollout, counts, deps)) return 0
  if (rollout.passedWave < rollout.wave) return askGate(rollout, counts, deps, abort)
  return sumOf(counts, ({ state, wave }) => state === "pending" && wave === null) > 0
    ? nextWave(rollout, deps)
    : end(rollout, "completed", null, deps)
}

/** As many as there is room for. */
async function beginSome(rollout: RolloutRecord, flying: number, deps: RolloutsDeps): Promise<number> {
  const limit = rollout.concurrency - flying
  if (limit <= 0) return LOOK_MS
  const filter = { states: ["pending"], isInWave: true, limit } as const
  const next = await selectRolloutTenants(deps.database, rollout.id, filter)
  await Promise.all(next.map((each) => upgradeTenant(rollout, each, deps)))
  return LOOK_MS
}

/** Tenants that cannot be upgraded tell nothing: others take their places in the canary. */
async function growCanary(
  rollout: RolloutRecord,
  counts: readonly RolloutCount[],
  { database }: RolloutsDeps,
): Promise<boolean> {
  if (rollout.wave > 0) return false
  const there = sumOf(counts, ({ state, wave }) => wave === 0 && (state === "upgraded" || state === "failed"))
  const missing = rollout.canary - there
  return missing > 0 && (await assignWave(database, rollout.id, 0, missing)) > 0
}

function nextWave(rollout: RolloutRecord, { database }: RolloutsDeps): Promise<number> {
  return database.transaction(async (tx) => {
    if (await beginWave(tx, rollout)) await assignWave(tx, rollout.id, rollout.wave + 1, rollout.waveSize)
    return 0
  })
}

async function askGate(
  rollout: RolloutRecord,
  counts: readonly RolloutCount[],
  deps: RolloutsDeps,
  abort: AbortSignal,
): Promise<number | undefined> {
  const upgraded = counts.filter(({ state }) => state === "upgraded")
  const restMs = rollout.gate.waitMs - Math.min(...upgraded.map(({ forMs }) => forMs ?? 0))
  if (upgraded.length > 0 && restMs > 0) return Math.min(Math.ceil(restMs), LONGEST_REST_MS)
  const health = upgraded.length > 0 ? await healthOf(rollout, deps, abort) : NOBODY
  const { healthy, reason, figures = {} } = health
  await noteVerdict(deps.database, rollout, { wave: rollout.wave, healthy, reason, figures })
  if (healthy) return 0
  const after = rollout.wave === 0 ? "the canary" : `wave ${rollout.wave}`
  return end(rollout, "stopped", `the gate "${rollout.gate.check}" did not pass after ${after}: ${reason}`, deps)
}

const NOBODY: RolloutHealth = { healthy: true, reason: "no tenant was upgraded", figures: {} }

/** One that throws did not pass, unless it may by itself. */
async function healthOf(rollout: RolloutRecord, deps: RolloutsDeps, abort: AbortSignal): Promise<RolloutHealth> {
  const { package: slug, version, wave, gate, id } = rollout
  const check = deps.checks.get(gate.check)
  if (!check) return { healthy: false, reason: `this release has no check "${gate.check}"` }
  const filter = { states: ["upgraded"], isLatestFirst: true, limit: MAX_CHECKED } as const
  const rows = await selectRolloutTenants(deps.database, id, filter)
  const tenants = rows.flatMap(({ tenant, upgradedAt, wave: at }) =>
    upgradedAt ? [{ tenant, upgradedAt, wave: at ?? 0 }] : [],
  )
  try {
    const context = { rollout: id, package: slug, version, wave, tenants, params: gate.params, signal: abort }
    return await check.run(context)
  } catch (error) {
    if (abort.aborted || isTransient(error)) throw error
    return { healthy: false, reason: `it failed: ${messageOf(error)}` }
  }
}

async function stopFailed(
  rollout: RolloutRecord,
  failed: number,
  counts: readonly RolloutCount[],
  deps: RolloutsDeps,
): Promise<undefined> {
  const [first] = await selectRolloutTenants(deps.database, rollout.id, { states: ["failed"], limit: 1 })
  const begun = sumOf(counts, ({ wave }) => wave !== null)
  const example = first ? `, "${first.tenant}" since: ${first.reason ?? "nobody knows"}` : ""
  return end(rollout, "stopped", `${failed} of ${begun} tenants could not be upgraded${example}`, deps)
}

async function back(
  rollout: RolloutRecord,
  counts: readonly RolloutCount[],
  deps: RolloutsDeps,
): Promise<number | undefined> {
  const limit = rollout.concurrency - flyingIn(counts)
  if (limit <= 0) return LOOK_MS
  const filter = { states: ["upgraded"], isUpgraded: true, limit } as const
  const next = await selectRolloutTenants(deps.database, rollout.id, filter)
  await Promise.all(next.map((each) => restoreTenant(rollout, each, deps)))
  if (next.length > 0 || flyingIn(counts) > 0) return LOOK_MS
  const [failed] = await selectRolloutTenants(deps.database, rollout.id, {
    states: ["failed", "suspended"],
    isUpgraded: true,
    limit: 1,
  })
  if (!failed) return end(rollout, "rolled_back", null, deps)
  const reason = `not all tenants could be rolled back, "${failed.tenant}" since: ${failed.reason ?? failed.state}`
  return end(rollout, "stopped", reason, deps)
}

/** Ends this run of it, on record. */
async function end(
  rollout: RolloutRecord,
  status: "stopped" | "completed" | "rolled_back",
  reason: string | null,
  { database }: RolloutsDeps,
): Promise<undefined> {
  await database.transaction(async (tx) => {
    if (!(await endRollout(tx, rollout, status, reason))) return
    const { id, package: slug, version } = rollout
    const details = { rollout: id, version, status, ...(reason !== null && { reason }) }
    await appendPlatformAudit(tx, [
      { action: "package.rollout.end", resource: `package:${slug}`, actor: PROGRAM, details },
    ])
  })
  return undefined
}

const MAX_MESSAGE = 1_000

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return (isFleetPromptError(error) ? `${error.code}: ${text}` : text).slice(0, MAX_MESSAGE)
}
