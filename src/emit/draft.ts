import type { StoredSignal } from "../signal/stored-signal.ts"
import type { ClaimedDelivery, WakingLane } from "../store/deliveries.ts"
import type { NewDelivery } from "../store/insert-signals.ts"

/** A signal that passed the guards, with the deliveries it asks for. */
export interface Draft {
  readonly signal: StoredSignal
  readonly deliveries: readonly NewDelivery[]
}

/** What became of a draft. */
export interface Written {
  /** The signal as it is stored: the draft's, or the one that the tenant had already. */
  readonly signal: StoredSignal
  readonly inserted: boolean
}

/** The lane of a new delivery, for whoever is to be woken. */
export function laneOf(tenant: string, { handler, priority, delayMs }: NewDelivery): WakingLane {
  return { handler, tenant, priority, ...(delayMs > 0 && { dueInMs: delayMs }) }
}

/** A new delivery as the worker that holds it from the start has it. */
export function claimedAtOnce(signal: StoredSignal, { handler, priority, flowKey }: NewDelivery): ClaimedDelivery {
  return {
    tenant: signal.tenant,
    signalId: signal.id,
    handler,
    attempt: 1,
    leaseToken: 1,
    priority,
    flowKey,
    replayId: null,
    waitMs: 0,
    lostBy: null,
  }
}
