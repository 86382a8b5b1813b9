import type { StoredSignal } from "../signal/stored-signal.ts"
import type { ClaimedDelivery } from "../store/deliveries.ts"
import type { Along } from "../store/completions.ts"
import type { Holder, NewDelivery } from "../store/insert-signals.ts"

/**
 * How the worker of this process takes new deliveries without asking the queue for them: they are stored
 * as held by it, and it gets them when the commit is there.
 */
export interface HandOff {
  readonly holder: Holder
  /** Whether the worker will take a delivery; it keeps room for it until `take` or `cancel`. */
  readonly reserve: (tenant: string, delivery: NewDelivery) => boolean
  /** The delivery is stored and held by the worker; `schema` is the tenant's, quoted. */
  readonly take: (delivery: ClaimedDelivery, signal: StoredSignal, schema: string) => void
  /** The delivery was not stored after all. */
  readonly cancel: (tenant: string, delivery: NewDelivery) => void
  /** Attempts that succeeded and wait to be booked in a schema, for a statement that is about to be sent; they go with it. */
  readonly along: (schema: string) => Along | undefined
}
