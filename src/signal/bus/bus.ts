import type { PublishResult } from "./bus-fan-out.ts"
import type { Replay, ReplayOptions, Snapshot, SnapshotOptions } from "./bus-reader.ts"
import type { Dispatch } from "../dispatch/dispatcher.ts"
import type { Signal } from "../signal.ts"
import type {
  Delivery,
  NackOptions,
  PersistentOptions,
  SubscribeOptions,
  Subscription,
  SubscriptionInfo,
} from "./subscription.ts"
import type { DeadLetter } from "./subscription-checkpoint.ts"

/** What a publish may say besides the signals. */
export interface PublishOptions {
  /** Who publishes, for middleware such as `authorise`. */
  readonly principal?: unknown
}

/** Passes signals from publishers to subscribers by pattern. Made by `createBus`. */
export interface Bus {
  /**
   * Puts a signal, or several in order, into the log and gives them to those who subscribed. Functions
   * that return at once have it before this returns; others have it in their queue when it resolves.
   * A signal that is not frozen is checked and copied. Several signals are checked together, by
   * middleware too, before the first is published. Only when a subscriber has no room for one of them,
   * those before it are published, and it and those behind it are not; `path` names it.
   *
   * @throws FleetPromptError as a rejection: `bus_closed`; `bus_full`; `signal_invalid` and the like;
   * `dispatch_invalid` for a target that is not there; `signal_halted`, or what middleware halted with
   */
  publish(signal: Signal, options?: PublishOptions): Promise<PublishResult>
  publish(signals: readonly Signal[], options?: PublishOptions): Promise<readonly PublishResult[]>
  /**
   * Has signals whose type fits a pattern dispatched, from now on until `unsubscribe`.
   *
   * @throws FleetPromptError `pattern_invalid`, `route_invalid`, `dispatch_invalid`,
   * `subscription_invalid`, `subscription_exists`, `signal_not_held`, `bus_closed`
   */
  subscribe(pattern: string, dispatch: Dispatch, options?: SubscribeOptions): Subscription
  subscribe(pattern: string, dispatch: Dispatch<Delivery>, options: PersistentOptions): Subscription
  /**
   * Ends a subscription. What waits for it is dropped, and a persistent one is forgotten, with its dead
   * letters and its checkpoint. Returns whether there was one.
   */
  unsubscribe(id: string): boolean
  /** All subscriptions, in the order they began. */
  subscriptions(): readonly SubscriptionInfo[]
  /** Settles a signal of a persistent subscription. False when it was not handed over, or is settled. */
  ack(subscription: string, signalId: string): boolean
  /** Fails the try that is under way. False when none is. */
  nack(subscription: string, signalId: string, reason?: unknown, options?: NackOptions): boolean
  /**
   * Keeps signals for a persistent subscription without handing them over. What is handed over and not
   * settled is taken back, without counting the try.
   */
  disconnect(subscription: string): void
  /**
   * Goes on with a persistent subscription after what was settled, in log order, with another dispatch;
   * what was handed over to the one before and is not settled comes again, first.
   */
  reconnect(subscription: string, dispatch: Dispatch<Delivery>): void
  /** The signals that a persistent subscription gave up on, the first given up first. */
  deadLetters(subscription: string): readonly DeadLetter[]
  /** Hands dead letters over again, those of these signals or all, and returns how many. */
  redrive(subscription: string, signalIds?: readonly string[]): number
  /** Forgets dead letters, those of these signals or all, and returns how many. */
  discard(subscription: string, signalIds?: readonly string[]): number
  /**
   * Reads what the log holds. Delivers to nobody.
   *
   * @throws FleetPromptError as a rejection: `signal_not_held`, `pattern_invalid`, `query_invalid`, or
   * what middleware halted with
   */
  replay(options?: ReplayOptions): Promise<Replay>
  /** All that the log holds at this moment. */
  snapshot(options?: SnapshotOptions): Promise<Snapshot>
  /**
   * Resolves when nothing is under way: no publish, no hook, no signal in the queue of a subscriber that
   * is not persistent, no dispatch that has yet to return. Signals that wait to be acknowledged or tried
   * again do not count.
   */
  drain(): Promise<void>
  /**
   * Refuses to publish from now on, lets what is under way finish, up to `closeTimeoutMs`, drops and
   * reports what still waits for subscribers that are not persistent, and saves checkpoints.
   */
  close(): Promise<void>
}
