import { FleetPromptError, isFleetPromptError } from "../../errors.ts"
import type { JsonObject, JsonValue } from "../../signal/json.ts"
import { type AttemptCounts, countAttemptsSince } from "../../store/package-rollout-tenants.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import { type InstallationsDeps, scopeToRead } from "../installations/installations-deps.ts"
import type { RolloutCheck, RolloutCheckContext, RolloutHealth, UpgradedTenant } from "./rollout-check.ts"

/** The gate that every fleet has, and that a rollout has when nothing else is said. */
export const DELIVERIES_FAILED = "deliveries.failed"

const DEFAULT_MAX_SHARE = 0.05
/** Tenants that are asked, those of the last wave first. */
const MAX_TENANTS = 200

/** Looks at what came of the attempts of the package's handlers since the upgrade, in the tenants that have it. */
export function deliveryCheck(deps: () => InstallationsDeps): RolloutCheck {
  return { name: DELIVERIES_FAILED, run: (context) => check(context, deps()) }
}

async function check(context: RolloutCheckContext, deps: InstallationsDeps): Promise<RolloutHealth> {
  const maxShare = numberOf("maxShare", context.params["maxShare"], DEFAULT_MAX_SHARE, 0, 1)
  const minAttempts = numberOf("minAttempts", context.params["minAttempts"], 1, 0, Number.MAX_SAFE_INTEGER)
  const manifest = await deps.shelf.manifest(context.package, context.version)
  const handlers = (manifest?.handlers ?? []).map(({ name }) => `${context.package}.${name}`)
  const tenants = context.tenants.slice(0, MAX_TENANTS)
  let attempts = 0
  let failed = 0
  for (const tenant of tenants) {
    context.signal.throwIfAborted()
    const counts = await countsOf(tenant, handlers, deps)
    attempts += counts.attempts
    failed += counts.failed
  }
  const share = attempts === 0 ? 0 : failed / attempts
  const figures: JsonObject = { tenants: tenants.length, attempts, failed, share, maxShare, minAttempts }
  return { healthy: attempts < minAttempts || share <= maxShare, reason: reasonOf(attempts, failed, maxShare), figures }
}

async function countsOf(
  { tenant, upgradedAt }: UpgradedTenant,
  handlers: readonly string[],
  deps: InstallationsDeps,
): Promise<AttemptCounts> {
  try {
    const scope = await scopeToRead(tenant, deps)
    return await withinTenant(deps.database, scope, (tx) => countAttemptsSince(tx, scope, handlers, upgradedAt))
  } catch (error) {
    // One that was deleted since says nothing.
    if (isFleetPromptError(error) && error.code === "tenant_unknown") return { attempts: 0, failed: 0 }
    throw error
  }
}

function reasonOf(attempts: number, failed: number, maxShare: number): string {
  const allowed = `${Math.round(maxShare * 1_000) / 10} percent may`
  return `${failed} of ${attempts} attempts of the package's handlers failed since the upgrade; ${allowed}`
}

function numberOf(name: string, given: JsonValue | undefined, otherwise: number, min: number, max: number): number {
  if (given === undefined) return otherwise
  if (typeof given === "number" && given >= min && given <= max) return given
  throw new FleetPromptError(
    "rollout_invalid",
    `expected a number from ${min} to ${max} as ${name} of the gate "${DELIVERIES_FAILED}", got ${JSON.stringify(given)}`,
  )
}
