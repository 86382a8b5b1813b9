import type { JsonValue } from "../signal/json.ts"
import type { CompiledPattern } from "../signal/pattern.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { NewDelivery } from "../store/insert-signals.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"

type JsonSignal = StoredSignal<JsonValue>

/** What fan-out needs to know of a handler. */
export interface FanOutTarget {
  readonly name: string
  /** The name that a delivery gets, where it depends on the signal. Default: `name`. */
  readonly nameFor?: (signal: JsonSignal) => string
  readonly on: CompiledPattern
  readonly where: ((signal: JsonSignal) => boolean) | undefined
  readonly version: number
  /** Whether a replay may run it. */
  readonly replayable: boolean
  /** -100 to 100; more is sooner. */
  readonly priority: (signal: JsonSignal) => number
  readonly delayMs: (signal: JsonSignal) => number
  /** What its limits and order go by, or null. */
  readonly flowKey: (signal: JsonSignal) => string | null
}

/** The routes from signal types to handlers, as emit and replays need them; `Routes` has them. */
export interface FanOutRoutes {
  /** The targets whose patterns fit. Conditions are not asked: `fanOut` treats one that throws in its own way. */
  readonly route: (signal: StoredSignal) => readonly FanOutTarget[]
  /** Whether signals of a tenant may lead to a handler of this name. */
  readonly has: (tenant: string, name: string) => boolean
  /** Names of all handlers, whoever's signals lead to them. */
  readonly names: () => readonly string[]
}

/** The deliveries that a signal asks for: one for each handler whose pattern and condition fit. */
export function fanOut(
  signal: StoredSignal,
  routes: Pick<FanOutRoutes, "route">,
  telemetry: Telemetry,
): readonly NewDelivery[] {
  // Data passed normalise, so it is JSON.
  const json = signal as JsonSignal
  return fitting(routes.route(signal), json, telemetry).map((target) => newDelivery(target, json, telemetry))
}

/** Of some targets those whose condition a signal fits. */
export function fitting(
  targets: readonly FanOutTarget[],
  signal: JsonSignal,
  telemetry: Telemetry,
): readonly FanOutTarget[] {
  return targets.filter((target) => ask(target, signal, telemetry, true, () => target.where?.(signal) ?? true))
}

/** What is kept with a delivery: of its handler's options, those that depend on the signal. */
export function newDelivery(target: FanOutTarget, signal: JsonSignal, telemetry: Telemetry): NewDelivery {
  return {
    handler: ask(target, signal, telemetry, target.name, () => target.nameFor?.(signal) ?? target.name),
    version: target.version,
    // The queue is read from its smallest number.
    priority: -ask(target, signal, telemetry, 0, () => target.priority(signal)),
    delayMs: ask(target, signal, telemetry, 0, () => target.delayMs(signal)),
    // A handler that goes by keys finds no delivery without one.
    flowKey: ask<string | null>(target, signal, telemetry, "", () => target.flowKey(signal)),
  }
}

/**
 * A condition that throws counts as met: the worker asks it again, and then its error is a failed attempt
 * that people see. An option that throws gets its default, for the fact must not be lost for it.
 */
function ask<Answer>(
  { name }: FanOutTarget,
  signal: JsonSignal,
  telemetry: Telemetry,
  otherwise: Answer,
  question: () => Answer,
): Answer {
  try {
    return question()
  } catch (error) {
    const { id: signalId, tenant, type, metadata } = signal
    telemetry.tell("handler.condition_failed", {
      tenant,
      signalId,
      type,
      handler: name,
      error,
      correlationId: metadata.correlation_id,
      causationId: metadata.causation_id,
    })
    return otherwise
  }
}
