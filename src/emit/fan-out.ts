import type { JsonValue } from "../signal/json.ts"
import type { CompiledPattern } from "../signal/pattern.ts"
import { createRouter, type Router } from "../signal/router/router.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { NewDelivery } from "../store/signals.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"

/** What fan-out needs to know of a handler. */
export interface FanOutTarget {
  readonly name: string
  readonly on: CompiledPattern
  readonly where: ((signal: StoredSignal<JsonValue>) => boolean) | undefined
  readonly maxAttempts: number
}

/** The routes from signal types to handlers; conditions are asked by `fanOut`, which treats one that throws in its own way. */
export function routesTo(targets: readonly FanOutTarget[]): Router<FanOutTarget> {
  const router = createRouter<FanOutTarget>()
  for (const target of targets) router.add(target.on.pattern, target)
  return router
}

/** The deliveries that a signal asks for: one for each handler whose pattern and condition fit. */
export function fanOut(
  signal: StoredSignal,
  routes: Router<FanOutTarget>,
  telemetry: Telemetry,
): readonly NewDelivery[] {
  return routes
    .route(signal)
    .filter((target) => holds(target, signal, telemetry))
    .map(({ name, maxAttempts }) => ({ handler: name, maxAttempts }))
}

/** A condition that throws counts as met: the worker asks it again, and then its error is a failed attempt that people see. */
function holds(target: FanOutTarget, signal: StoredSignal, telemetry: Telemetry): boolean {
  if (!target.where) return true
  try {
    // Data passed normalise, so it is JSON.
    return target.where(signal as StoredSignal<JsonValue>)
  } catch (error) {
    telemetry.tell("handler.condition_failed", {
      tenant: signal.tenant,
      handler: target.name,
      signalId: signal.id,
      error,
    })
    return true
  }
}
