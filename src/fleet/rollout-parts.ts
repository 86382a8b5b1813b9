import type { Handler } from "../delivery/handler-definition.ts"
import type { InstallationsDeps } from "../packages/installations/installations-deps.ts"
import { deliveryCheck } from "../packages/rollouts/delivery-check.ts"
import { checksByName, type RolloutCheck } from "../packages/rollouts/rollout-check.ts"
import { rolloutHandler } from "../packages/rollouts/rollout-handler.ts"
import type { RolloutsDeps } from "../packages/rollouts/rollouts-deps.ts"
import type { RequestDeps } from "../tenants/migrations/request-migrations.ts"
import { ensurePlatform } from "../tenants/provision.ts"
import type { FleetOptions } from "./options.ts"

/** The health gates of a fleet: its own, and those that every fleet has. @throws FleetPromptError `rollout_invalid` */
export function rolloutChecks(
  { rolloutChecks: own = [] }: Pick<FleetOptions, "rolloutChecks">,
  deps: () => RolloutsDeps,
): ReadonlyMap<string, RolloutCheck> {
  return checksByName([...own, deliveryCheck(() => deps().installations)])
}

/** The built-in handlers that carry rollouts on, one for each gate. */
export function rolloutHandlers(
  checks: ReadonlyMap<string, RolloutCheck>,
  deps: () => RolloutsDeps,
): readonly Handler[] {
  return [...checks.keys()].map((check) => rolloutHandler(check, deps))
}

/** What rollouts work with. */
export function createRolloutsDeps(
  installations: InstallationsDeps,
  { database, emitDeps, migrations }: RequestDeps,
  checks: ReadonlyMap<string, RolloutCheck>,
): RolloutsDeps {
  return { database, emitDeps, installations, checks, preparePlatform: () => ensurePlatform(database, migrations) }
}
