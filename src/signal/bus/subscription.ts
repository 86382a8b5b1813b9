import { FleetPromptError } from "../../errors.ts"
import type { PreparedDispatch } from "./bus-attempt.ts"
import type { Activity } from "./bus-activity.ts"
import type { StartFrom } from "./bus-log.ts"
import type { Clock } from "../clock.ts"
import { MAX_TIMER_MS } from "../clock.ts"
import type { DispatchContext } from "../dispatch/dispatch-adapter.ts"
import type { DispatchHookContext, DispatchOutcome } from "../middleware/middleware.ts"
import type { HookChain } from "../middleware/middleware-chain.ts"
import type { Signal } from "../signal.ts"

/** What happens to a signal for which a subscriber has no room. */
export type WhenFull =
  /** `publish` waits until there is room, up to the bus's `waitTimeoutMs`; publishes behind it wait too. */
  | "wait"
  /** The oldest signal that waits for this subscriber is dropped, and reported. */
  | "drop-oldest"
  /** `publish` rejects with `bus_full`: no subscriber gets the signal, nor those behind it in the same call. */
  | "refuse"

/** What every subscription may say. */
interface CommonOptions {
  /** Its name on this bus. Default a new UUID. */
  readonly id?: string
  /** From -100, last, to 100, first, among the subscribers of one signal. Default 0. */
  readonly priority?: number
  /** A guard: only signals of which it says true. One that throws says false, and is reported. It must not use the bus. */
  readonly when?: (signal: Signal) => boolean
  /** Who receives, for middleware such as `authorise`. */
  readonly principal?: unknown
  /** Default "wait". */
  readonly whenFull?: WhenFull
}

/** How to subscribe for as long as the program runs and listens: each signal is handed over once. */
export interface SubscribeOptions extends CommonOptions {
  readonly persistent?: false
  /**
   * How many signals it may have at once. Default 1: an async function has the next signal when it has
   * finished with the one before.
   */
  readonly maxInFlight?: number
  /** Most signals that wait for it. Default 1,000. */
  readonly maxPending?: number
  /** Time for one signal, milliseconds; then it has failed and the next one comes. Default that of the dispatcher. */
  readonly timeoutMs?: number
}

/** How to subscribe so that each signal is handed over until it is acknowledged. */
export interface PersistentOptions extends CommonOptions {
  readonly persistent: true
  /** Where to start, unless the checkpoint store knows this id. Default "current". */
  readonly startFrom?: StartFrom
  /**
   * What acknowledges a signal: `explicit`, a call of `ack` on what the function is given, or of the
   * bus; or `on-return`, that the dispatch succeeded. Default `explicit` for a function, `on-return` for
   * an adapter or a list.
   */
  readonly ack?: "explicit" | "on-return"
  /** Most signals handed over and not settled. Default 100; with 1, none is handed over before the one before is settled. */
  readonly maxInFlight?: number
  /** A signal that is not settled by then comes again, milliseconds. Default 30,000; with `on-return` the dispatch's own time. */
  readonly ackDeadlineMs?: number
  readonly retry?: RetryOptions
  /** Most signals that wait for it, besides those that the log held when it began. Default 10,000. */
  readonly maxPending?: number
  /** Most dead letters that are kept; past it the oldest is dropped, and reported. Default 1,000. */
  readonly maxDeadLetters?: number
}

/** How a persistent subscription tries again. */
export interface RetryOptions {
  /** Tries in all, the first included. Default 5. */
  readonly maxAttempts?: number
  /**
   * The wait after the nth failed try, milliseconds. A signal whose deadline passed comes again at once.
   * Default 200 doubling up to 30,000, shortened by up to half at random.
   */
  readonly backoff?: number | ((attempt: number) => number)
}

/** What a function that subscribed persistently is given besides the signal. */
export interface Delivery extends DispatchContext {
  /** Id of the subscription. */
  readonly subscription: string
  /** Settles the signal. True the first time, false when it was settled before. */
  readonly ack: () => boolean
  /**
   * Says that this try failed, so that the signal comes again, or becomes a dead letter after the last
   * try. False when the try is over.
   */
  readonly nack: (reason?: unknown, options?: NackOptions) => boolean
}

/** How a signal is to come again. */
export interface NackOptions {
  /** The wait, milliseconds. Default that of `retry.backoff`. */
  readonly delayMs?: number
}

/** A subscription, as `subscribe` returns it. */
export interface Subscription {
  readonly id: string
  readonly pattern: string
  /**
   * Resolves when it works; at once unless a checkpoint store has to be read. `truncated` says that
   * signals it should have had are no longer held. Rejects when the checkpoint cannot be read; then the
   * subscription is gone.
   */
  readonly ready: Promise<{ readonly truncated: boolean }>
}

/** How a subscription stands. */
export interface SubscriptionInfo {
  readonly id: string
  readonly pattern: string
  readonly persistent: boolean
  /** False for a persistent one between `disconnect` and `reconnect`. */
  readonly connected: boolean
  /** Signals that wait to be handed over, for the first time or again. */
  readonly pending: number
  /** Signals handed over and not settled. */
  readonly inFlight: number
  readonly deadLetters: number
  /** Signals settled well, failed for good, passed by, and dropped, since it began. */
  readonly delivered: number
  readonly failed: number
  readonly skipped: number
  readonly dropped: number
}

/** Where a fault was noticed. */
export interface FaultPlace {
  readonly kind: "subscriber" | "dead_letter" | "guard" | "middleware" | "checkpoint" | "log"
  readonly subscription?: string
  readonly middleware?: string
  readonly signal?: Signal
}

/** A signal that a full subscription dropped. */
export interface DroppedSignal {
  readonly signal: Signal
  readonly subscription: string
  /** From which of its two lists. */
  readonly from: "pending" | "dead_letters"
}

/** What subscriptions work with. */
export interface SubscriptionDeps {
  readonly hooks: HookChain<DispatchHookContext, DispatchOutcome>
  readonly clock: Clock
  readonly random: () => number
  readonly activity: Activity
  readonly report: (error: unknown, place: FaultPlace) => void
  readonly drop: (dropped: DroppedSignal) => void
}

/** What one publish of one signal came to, counted while it is given to its subscribers. */
export class Tally {
  delivered = 0
  queued = 0
  failed = 0
  skipped = 0
  /** Set when a `beforeDispatch` halted: then nobody else gets the signal. */
  halted: string | undefined = undefined
}

/** A subscription as the bus sees it. */
export interface Subscriber {
  readonly id: string
  readonly pattern: string
  readonly whenFull: WhenFull
  readonly principal: unknown
  /** How many more signals it takes. */
  readonly room: number
  /** Most signals that wait for it. */
  readonly maxPending: number
  /** Calls back once, when there is room or it has ended. */
  onRoom(wake: () => void): void
  /** Takes a signal, in the order of publishing, and counts in the tally what came of it. */
  accept(signal: Signal, sequence: number, tally: Tally): void
  info(): SubscriptionInfo
  /** Ends it. What it still holds is dropped; returns those signals. */
  end(reason: Error): readonly Signal[]
}

/** What a subscription is made of. */
export interface SubscriptionParts<Options> {
  readonly id: string
  readonly pattern: string
  readonly prepared: PreparedDispatch
  readonly options: Options
  readonly deps: SubscriptionDeps
}

const POLICIES: ReadonlySet<unknown> = new Set<WhenFull>(["wait", "drop-oldest", "refuse"])

/** Refuses an unknown policy, and gives the default for none. */
export function checkWhenFull(value: WhenFull = "wait"): WhenFull {
  if (POLICIES.has(value)) return value
  throw invalidOption("whenFull", `"wait", "drop-oldest" or "refuse"`, value)
}

/** A whole number from 1 as an option of a subscription. */
export function checkLimit(path: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value
  throw invalidOption(path, "a whole number from 1", value)
}

/** Milliseconds from 1 that a timer can wait. */
export function checkMs(path: string, value: number): number {
  if (typeof value === "number" && value >= 1 && value <= MAX_TIMER_MS) return value
  throw invalidOption(path, `milliseconds from 1 to ${MAX_TIMER_MS}`, value)
}

/** The error for a wrong option of a subscription. */
export function invalidOption(path: string, expected: string, came: unknown): FleetPromptError {
  const shown = typeof came === "object" || typeof came === "function" ? typeof came : String(came).slice(0, 60)
  return new FleetPromptError("subscription_invalid", `expected ${expected} as ${path}, got ${shown}`, { path })
}
