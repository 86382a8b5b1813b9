import type { Router } from "../signal/router/router.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { ReplayCandidate } from "../store/replay-deliveries.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { fanOut, type FanOutTarget } from "./fan-out.ts"

/** What a replay could run on a signal. */
export interface ReplayTargets {
  readonly candidates: readonly ReplayCandidate[]
  /** Names of handlers that fit and do not let a replay run them. */
  readonly notReplayable: readonly string[]
}

/**
 * Finds the handlers of signals as emit does, by pattern and condition; only the one called `handler` when
 * that is not null.
 */
export function targetFinder(
  routes: Router<FanOutTarget>,
  handler: string | null,
  telemetry: Telemetry,
): (signal: StoredSignal) => ReplayTargets {
  const asked = handler === null ? routes : routes.filter(({ target }) => target.name === handler)
  const replayable = new Set(asked.list().flatMap(({ target }) => (target.replayable ? [target.name] : [])))
  return (signal) => {
    const deliveries = fanOut(signal, asked, telemetry)
    return {
      candidates: deliveries
        .filter((delivery) => replayable.has(delivery.handler))
        .map(({ delayMs: _, ...delivery }) => ({ ...delivery, signalId: signal.id })),
      notReplayable: deliveries.map((delivery) => delivery.handler).filter((name) => !replayable.has(name)),
    }
  }
}
