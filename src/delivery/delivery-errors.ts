import { FleetPromptError } from "../errors.ts"
import type { ClaimedDelivery } from "../store/deliveries.ts"

/** Every attempt ended with its process. */
export function workerLost({ handler, attempt }: ClaimedDelivery): FleetPromptError {
  return new FleetPromptError(
    "worker_lost",
    `the process that ran handler ${handler} went away in each of ${attempt - 1} attempts; look for what ends it, such as a crash or a lack of memory`,
  )
}

/** Why an attempt's `abort` fires when its lease was lost. */
export function takenOver({ handler }: ClaimedDelivery): FleetPromptError {
  return new FleetPromptError(
    "worker_lost",
    `this worker's lease on a delivery of handler ${handler} ended and another worker took it over; stop the work`,
  )
}

/** Why an attempt's `abort` fires when the worker stops. */
export function workerStops(): FleetPromptError {
  return new FleetPromptError(
    "fleet_stopped",
    "the worker is stopping and gives this delivery back; stop the work, it will be tried again",
  )
}
