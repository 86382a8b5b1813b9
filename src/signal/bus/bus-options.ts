import { checkCount } from "./bus-count.ts"
import { type Clock, MAX_TIMER_MS, systemClock } from "../clock.ts"
import { FleetPromptError } from "../../errors.ts"
import { createDispatcher, type Dispatch, type Dispatcher } from "../dispatch/dispatcher.ts"
import type { Middleware } from "../middleware/middleware.ts"
import type { RouterOptions } from "../router/router.ts"
import type { Signal } from "../signal.ts"
import type { DroppedSignal, FaultPlace } from "./subscription.ts"
import type { CheckpointStore } from "./subscription-checkpoint.ts"

/** How a bus is set up. */
export interface BusOptions {
  /** The stack, outermost first. Default none. */
  readonly middleware?: readonly Middleware[]
  /** Time for one hook of middleware, milliseconds. Default 5,000. */
  readonly middlewareTimeoutMs?: number
  readonly log?: LogOptions
  /** How types are remembered for routing. */
  readonly router?: Pick<RouterOptions<unknown>, "cacheSize">
  /** Hands signals on. Default one without adapters, for functions and lists. */
  readonly dispatcher?: Dispatcher
  /** Targets that a signal may ask for with its extension attribute `dispatch`, by name. Default none, and the attribute is not looked at. */
  readonly dispatches?: Readonly<Record<string, Dispatch>>
  /** Keeps how far persistent subscriptions have come. Default nowhere but in the bus. */
  readonly checkpoints?: CheckpointStore
  /** Most signals that wait in calls of `publish` for the ones before. Default 10,000. */
  readonly maxWaiting?: number
  /** How long `publish` waits for a subscriber that is full, milliseconds. Default 30,000. */
  readonly waitTimeoutMs?: number
  /** How long `close` waits for what is under way, milliseconds. Default 10,000. */
  readonly closeTimeoutMs?: number
  /** Told of what fails and has no caller to throw at. Default writes to `console.error`. */
  readonly onError?: (error: unknown, place: FaultPlace) => void
  /** Told of each signal that a full subscription drops. Default tells `onError`, with `signal_dropped`. */
  readonly onDrop?: (dropped: DroppedSignal) => void
  /** Default the platform's. Tests move one by hand. */
  readonly clock?: Clock
  /** 0 up to 1, for back-off. Default `Math.random`. */
  readonly random?: () => number
}

/** What a bus remembers. */
export interface LogOptions {
  /**
   * Most signals that are held; past it, each new one takes the place of the oldest. Default 100,000;
   * 0 holds none.
   */
  readonly maxSignals?: number
  /** Signals that it holds from the start, oldest first, for example those of a journal. They are not delivered to anyone but persistent subscriptions that ask for them. */
  readonly signals?: Iterable<Signal>
}

/** What a bus works with: its options, checked, and a default for each that is missing. */
export interface BusSettings {
  readonly middleware: readonly Middleware[]
  readonly middlewareTimeoutMs: number
  readonly maxSignals: number
  readonly signals: Iterable<Signal>
  readonly routerOptions: Pick<RouterOptions<unknown>, "cacheSize">
  readonly dispatcher: Dispatcher
  readonly dispatches: Readonly<Record<string, Dispatch>>
  readonly checkpoints: CheckpointStore | undefined
  readonly maxWaiting: number
  readonly waitTimeoutMs: number
  readonly closeTimeoutMs: number
  readonly report: (error: unknown, place: FaultPlace) => void
  readonly drop: (dropped: DroppedSignal) => void
  readonly clock: Clock
  readonly random: () => number
}

const DEFAULT_MIDDLEWARE_TIMEOUT_MS = 5_000
const DEFAULT_MAX_SIGNALS = 100_000
const DEFAULT_MAX_WAITING = 10_000
const DEFAULT_WAIT_TIMEOUT_MS = 30_000
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000

/**
 * Checks the options of a bus.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function readBusOptions(options: BusOptions): BusSettings {
  const { log = {}, clock = systemClock } = options
  const report = reporter(options.onError ?? writeError)
  return {
    middleware: options.middleware ?? [],
    middlewareTimeoutMs: checkMs("middlewareTimeoutMs", options.middlewareTimeoutMs ?? DEFAULT_MIDDLEWARE_TIMEOUT_MS),
    maxSignals: log.maxSignals === 0 ? 0 : checkCount("log.maxSignals", log.maxSignals ?? DEFAULT_MAX_SIGNALS),
    signals: log.signals ?? [],
    routerOptions: options.router ?? {},
    dispatcher: options.dispatcher ?? createDispatcher({ clock }),
    dispatches: options.dispatches ?? {},
    checkpoints: options.checkpoints,
    maxWaiting: checkCount("maxWaiting", options.maxWaiting ?? DEFAULT_MAX_WAITING),
    waitTimeoutMs: checkMs("waitTimeoutMs", options.waitTimeoutMs ?? DEFAULT_WAIT_TIMEOUT_MS),
    closeTimeoutMs: checkMs("closeTimeoutMs", options.closeTimeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS),
    report,
    drop: options.onDrop ? dropper(options.onDrop, report) : (dropped) => report(...droppedFault(dropped)),
    clock,
    random: options.random ?? Math.random,
  }
}

function checkMs(path: string, value: number): number {
  return checkCount(path, value, MAX_TIMER_MS)
}

/** A listener that throws has nobody left to tell, and must not disturb a delivery. */
function reporter(onError: (error: unknown, place: FaultPlace) => void): BusSettings["report"] {
  return (error, place) => {
    try {
      onError(error, place)
    } catch {
      // See above.
    }
  }
}

function dropper(onDrop: (dropped: DroppedSignal) => void, report: BusSettings["report"]): BusSettings["drop"] {
  return (dropped) => {
    try {
      onDrop(dropped)
    } catch (error) {
      report(error, { kind: "subscriber", subscription: dropped.subscription, signal: dropped.signal })
    }
  }
}

function droppedFault({ signal, subscription, from }: DroppedSignal): [FleetPromptError, FaultPlace] {
  const list = from === "pending" ? "the signals that wait for it" : "its dead letters"
  const error = new FleetPromptError(
    "signal_dropped",
    `expected room for a signal, but subscription ${subscription} is full: signal ${signal.id}, the oldest of ${list}, was dropped`,
  )
  return [error, { kind: "subscriber", subscription, signal }]
}

function writeError(error: unknown, { kind, subscription, middleware }: FaultPlace): void {
  const where = [kind, subscription ?? middleware].filter((part) => part !== undefined).join(" ")
  console.error(`fleetprompt bus: ${where}:`, error)
}
