import type { ActingOptions } from "../../access/acting.ts"
import type { JsonObject } from "../../signal/json.ts"
import type { RolloutTenant, RolloutTenantState } from "../../store/package-rollout-tenants.ts"
import type { RolloutRecord } from "../../store/package-rollouts.ts"

/** The health gate of a rollout. */
export interface RolloutGate {
  /** Name of a check: `deliveries.failed`, the default, or one of `createFleet({ rolloutChecks })`. */
  readonly check?: string
  /** What it is given. `deliveries.failed` takes `maxShare`, default 0.05, and `minAttempts`, default 1. */
  readonly params?: JsonObject
  /** How long to wait after a wave before it is asked, milliseconds. Default 60,000, at most a day. */
  readonly waitMs?: number
}

/** What is rolled out, where and how. */
export interface RolloutRequest {
  /** Slug of the package. */
  readonly package: string
  /** A version of the catalogue, or `latest`, the default. */
  readonly to?: string
  /** Slugs, in this order. Default: all tenants that have the package. */
  readonly tenants?: readonly string[]
  /** How many are upgraded first, or which. Default 5. */
  readonly canary?: number | readonly string[]
  /** How many more in each wave behind the canary. Default 50. */
  readonly wave?: number
  /** How many at once, 1 to 100. Default 10. */
  readonly concurrency?: number
  /** How many upgrades may fail before it stops. Default 0. */
  readonly maxFailed?: number
  /** Asked after the canary and after each wave; `check` alone as a text. */
  readonly gate?: RolloutGate | string
}

/** Why somebody decides about a rollout, and for whom. */
export interface RolloutDecision extends ActingOptions {
  /** Why, for people and the audit log. */
  readonly reason?: string
}

/** A rollout and how far it is. */
export interface RolloutState extends RolloutRecord {
  /** How many tenants there are in each state. */
  readonly tenants: Readonly<Record<RolloutTenantState, number>>
  /** How many there are, and of how many nothing is left to be done. */
  readonly total: number
  readonly done: number
}

/** Which tenants of a rollout are listed. */
export interface RolloutTenantListOptions {
  readonly states?: readonly RolloutTenantState[]
  /** Behind the `position` of the last one of the page before. */
  readonly after?: number
  /** How many, 1 to 1,000. Default 100. */
  readonly limit?: number
}

/**
 * Upgrades of a package in many tenants: first a canary, then, as long as the health gate passes, all others in waves.
 * Each tenant's upgrade is a directive `package.upgrade` of its own. Any process of the fleet carries it on.
 */
export interface Rollouts {
  /**
   * Begins one.
   *
   * @throws FleetPromptError `rollout_invalid`, `rollout_state` while another one works on the package,
   * `package_unknown`, `tenant_unknown`, `forbidden`
   * @example
   * const { id } = await fleet.packages.rollouts.start({ package: "github-triage", to: "1.2.0", canary: 5 }, { by })
   */
  readonly start: (request: RolloutRequest, decision?: RolloutDecision) => Promise<RolloutState>
  /** One with its progress; undefined when there is none. */
  readonly get: (id: string) => Promise<RolloutState | undefined>
  /** The newest first, without their progress. @throws FleetPromptError `query_invalid` */
  readonly list: (options?: { readonly package?: string; readonly limit?: number }) => Promise<readonly RolloutRecord[]>
  /** Its tenants, in their order. @throws FleetPromptError `rollout_unknown`, `query_invalid` */
  readonly tenants: (id: string, options?: RolloutTenantListOptions) => Promise<readonly RolloutTenant[]>
  /**
   * Lets one that was stopped go on, from its canary and gate, with what is not upgraded yet. `to` is the version that
   * mends it: then all get that one, the canary first.
   *
   * @throws FleetPromptError `rollout_unknown`, `rollout_state`, `package_unknown`, `forbidden`
   */
  readonly resume: (id: string, decision?: RolloutDecision & { readonly to?: string }) => Promise<RolloutState>
  /** Begins no further tenant, for good; what is under way ends. @throws FleetPromptError `rollout_unknown`, `rollout_state`, `forbidden` */
  readonly cancel: (id: string, decision?: RolloutDecision) => Promise<RolloutState>
  /**
   * Gives the tenants that it upgraded back what they had before, unless they were changed since. One that runs is to be
   * cancelled first.
   *
   * @throws FleetPromptError `rollout_unknown`, `rollout_state`, `forbidden`
   */
  readonly rollback: (id: string, decision?: RolloutDecision) => Promise<RolloutState>
}
