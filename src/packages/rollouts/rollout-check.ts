import { FleetPromptError } from "../../errors.ts"
import type { JsonObject } from "../../signal/json.ts"

/** A tenant that has what a rollout makes of it. */
export interface UpgradedTenant {
  readonly tenant: string
  readonly upgradedAt: Date
  /** 0 is the canary. */
  readonly wave: number
}

/** What a health gate is asked about. */
export interface RolloutCheckContext {
  /** Id of the rollout. */
  readonly rollout: string
  /** Slug of the package, and the version that the tenants got. */
  readonly package: string
  readonly version: string
  /** After which wave; 0 is the canary. */
  readonly wave: number
  /** Tenants that were upgraded, those of the last wave first; at most 500. */
  readonly tenants: readonly UpgradedTenant[]
  /** What the rollout gives it. */
  readonly params: JsonObject
  /** Fires when the process stops. */
  readonly signal: AbortSignal
}

/** What it answers. */
export interface RolloutHealth {
  readonly healthy: boolean
  /** Why, for people. */
  readonly reason: string
  /** What it went by. */
  readonly figures?: JsonObject
}

/** A health gate of rollouts, by name. It may be asked again. */
export interface RolloutCheck {
  /** As a handler's. It must not change between releases. */
  readonly name: string
  readonly run: (context: RolloutCheckContext) => Promise<RolloutHealth> | RolloutHealth
}

const NAME = /^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*$/
const MAX_NAME = 60

/**
 * Checks a health gate's definition.
 *
 * @throws FleetPromptError `rollout_invalid`
 * @example
 * const latency = defineRolloutCheck({
 *   name: "crm.latency",
 *   run: async ({ tenants, params }) => {
 *     const ms = await slowest(tenants.map(({ tenant }) => tenant))
 *     return { healthy: ms <= Number(params.maxMs), reason: `the slowest call took ${ms} ms`, figures: { ms } }
 *   },
 * })
 */
export function defineRolloutCheck({ name, run }: RolloutCheck): RolloutCheck {
  if (typeof name !== "string" || name.length > MAX_NAME || !NAME.test(name))
    throw new FleetPromptError(
      "rollout_invalid",
      `expected a name such as "crm.latency" of at most ${MAX_NAME} characters, got ${JSON.stringify(name)}`,
    )
  if (typeof run !== "function")
    throw new FleetPromptError("rollout_invalid", `expected a function as run of check ${name}, got ${typeof run}`)
  return Object.freeze({ name, run })
}

/**
 * A fleet's checks by name.
 *
 * @throws FleetPromptError `rollout_invalid` when two have one name
 */
export function checksByName(checks: readonly RolloutCheck[]): ReadonlyMap<string, RolloutCheck> {
  const known = new Map<string, RolloutCheck>()
  for (const check of checks) {
    if (known.has(check.name))
      throw new FleetPromptError(
        "rollout_invalid",
        `expected each rollout check to have a name of its own, got two called "${check.name}"; rename one`,
      )
    known.set(check.name, check)
  }
  return known
}
