import type { EmitDeps } from "../../emit/emit.ts"
import { FleetPromptError } from "../../errors.ts"
import type { Database } from "../../store/database.ts"
import type { InstallationsDeps } from "../installations/installations-deps.ts"
import type { RolloutCheck } from "./rollout-check.ts"

/** What rollouts work with. */
export interface RolloutsDeps {
  readonly database: Database
  /** Of the platform: it knows the built-in handlers alone. */
  readonly emitDeps: EmitDeps
  readonly installations: InstallationsDeps
  /** By name, with those that every fleet has. */
  readonly checks: ReadonlyMap<string, RolloutCheck>
  /** Makes sure that the platform can be emitted to. */
  readonly preparePlatform: () => Promise<void>
}

/** There is none with this id. */
export function unknownRollout(): FleetPromptError {
  return new FleetPromptError(
    "rollout_unknown",
    "expected the id of a rollout, got another; fleet.packages.rollouts.list() has them",
  )
}
