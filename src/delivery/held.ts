import type { StoredSignal } from "../signal/stored-signal.ts"
import type { ClaimedDelivery } from "../store/deliveries.ts"
import type { LazyAbort } from "./run-context.ts"

/** A delivery that this process holds, from its claim until its result is booked. */
export interface Held {
  readonly delivery: ClaimedDelivery
  readonly signal: StoredSignal
  /** The quoted schema of its tenant. */
  readonly schema: string
  readonly abort: LazyAbort
  /** When it was claimed, on this process's own clock. */
  readonly since: number
}
