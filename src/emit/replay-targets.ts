import type { JsonValue } from "../signal/json.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { ReplayCandidate } from "../store/replay-deliveries.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { type FanOutRoutes, type FanOutTarget, fitting, newDelivery } from "./fan-out.ts"

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
  routes: Pick<FanOutRoutes, "route">,
  handler: string | null,
  telemetry: Telemetry,
): (signal: StoredSignal) => ReplayTargets {
  return (signal) => {
    // What the store holds passed normalise, so it is JSON.
    const json = signal as StoredSignal<JsonValue>
    const asked = routes.route(signal).filter(({ name }) => handler === null || name === handler)
    const targets = fitting(asked, json, telemetry)
    const candidateOf = (target: FanOutTarget): ReplayCandidate => {
      const { delayMs: _, ...delivery } = newDelivery(target, json, telemetry)
      return { ...delivery, signalId: signal.id }
    }
    return {
      candidates: targets.filter(({ replayable }) => replayable).map(candidateOf),
      notReplayable: targets.filter(({ replayable }) => !replayable).map(({ name }) => name),
    }
  }
}
