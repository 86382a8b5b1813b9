import type { LockedDirective } from "../store/directive-changes.ts"
import type { DirectiveRecord } from "../store/directives.ts"
import type { Read } from "./read-params.ts"

/** How a directive stood when this attempt took it up. */
export interface RunPlan extends Read {
  readonly record: DirectiveRecord
  readonly runToken: string
  /** As it was before. */
  readonly locked: LockedDirective
  /** Whether an attempt before this one began it. */
  readonly wasRunning: boolean
  readonly startedSignalId: string | null
}
