import { FleetPromptError } from "../../errors.ts"
import { describeFailure } from "../bus/bus-failure.ts"
import type { Signal } from "../signal.ts"

/** Made by `skip`. */
export interface Skip {
  readonly kind: "skip"
  readonly reason: string
}

/** Made by `halt`. */
export interface Halt {
  readonly kind: "halt"
  readonly error: Error
}

/** What a `before` hook answers: nothing to go on, a signal to go on with that one, or `skip`, or `halt`. */
export type Verdict = Signal | Skip | Halt | undefined

/** A verdict, at once or later. Nothing at all goes on too. */
export type VerdictOrPromise = Verdict | void | Promise<Verdict | void>

/** What hooks are told of a publish. The same object goes to `before` and `after`. */
export interface PublishContext {
  /** Who publishes, as `publish` was told. */
  readonly principal: unknown
}

/** How a signal came to be handed on. */
export type DispatchPath =
  /** It was just published, to a subscriber that is not persistent. */
  | "publish"
  /** To a persistent subscriber. */
  | "persistent"
  /** To a persistent subscriber, from its dead letters. */
  | "redrive"
  /** To the caller of `replay`. */
  | "replay"
  /** To the caller of `snapshot`. */
  | "snapshot"

/** What hooks are told of one signal for one subscriber. The same object goes to `before` and `after`. */
export interface DispatchHookContext {
  readonly path: DispatchPath
  /** Id of the subscription; for a reader, the path again. */
  readonly subscription: string
  /** The subscription's pattern, or the one that is read. */
  readonly pattern: string
  /** Who receives, as `subscribe`, `replay` or `snapshot` was told. */
  readonly principal: unknown
  /** 1 for the first try. */
  readonly attempt: number
}

/** What became of a publish. */
export type PublishOutcome =
  /** It is in the log; the counts are those of `Published`. */
  | {
      readonly kind: "published"
      readonly matched: number
      readonly delivered: number
      readonly queued: number
      readonly failed: number
      readonly skipped: number
      readonly durationMs: number
    }
  /** Middleware left it out. */
  | { readonly kind: "skipped"; readonly reason: string; readonly durationMs: number }
  /** It was refused, and `publish` rejects with this error. */
  | { readonly kind: "halted"; readonly error: Error; readonly durationMs: number }

/** What became of one signal for one subscriber. */
export type DispatchOutcome =
  /** The subscriber has it: its function returned, or it was acknowledged where that is asked for. */
  | { readonly kind: "delivered"; readonly durationMs: number }
  /** The subscriber failed. `final` says that it will not be tried again. */
  | { readonly kind: "failed"; readonly error: unknown; readonly final: boolean; readonly durationMs: number }
  /** It was not given to the subscriber, because middleware left it out or the subscription ended. */
  | { readonly kind: "skipped"; readonly reason: string; readonly durationMs: number }
  /** Middleware refused it. `final` says that it will not be tried again. */
  | { readonly kind: "halted"; readonly error: Error; readonly final: boolean; readonly durationMs: number }

/**
 * Sees signals on their way. A stack of these is an onion: `before` hooks run first to last, `after`
 * hooks last to first, and only those of the middleware whose `before` let the signal on.
 *
 * A `before` hook that throws, or answers anything but a verdict, halts. A signal it goes on with must
 * have the id of the one it was given. An `after` hook that throws is
 * reported to `onError` and changes nothing. Hooks may be async; then the signals behind wait, so that
 * they stay in order.
 */
export interface Middleware {
  /** How reports name it. Default its place in the stack. */
  readonly name?: string
  /** Before a signal is logged and routed. `skip` leaves it out; `halt` refuses the whole call of `publish`. */
  readonly beforePublish?: (signal: Signal, context: PublishContext) => VerdictOrPromise
  /** After it was given to its subscribers, or not. Those with a queue may have it later. */
  readonly afterPublish?: (signal: Signal, outcome: PublishOutcome, context: PublishContext) => unknown
  /**
   * Before a signal is given to one subscriber or reader: at publish, to persistent subscribers with
   * each try, at redrive, replay and snapshot. A signal it goes on with is for this one alone. `skip` passes the subscriber by; for a persistent one it counts as acknowledged.
   * `halt` fails the try of a persistent one, rejects a replay or snapshot, and at publish keeps the
   * signal from every subscriber that does not have it yet, persistent ones excepted.
   */
  readonly beforeDispatch?: (signal: Signal, context: DispatchHookContext) => VerdictOrPromise
  /** After that, with what became of it. */
  readonly afterDispatch?: (signal: Signal, outcome: DispatchOutcome, context: DispatchHookContext) => unknown
}

/**
 * The answer of a `before` hook that leaves this signal out, or passes this subscriber by.
 *
 * @example
 * const middleware: Middleware = {
 *   beforePublish: (signal) => (signal.type.startsWith("debug.") ? skip("debug is off") : undefined),
 * }
 */
export function skip(reason = "left out by middleware"): Skip {
  return Object.freeze({ kind: "skip", reason })
}

/**
 * The answer of a `before` hook that refuses. An error is what the publisher gets; anything else, a
 * text by custom, becomes the message of a `signal_halted`.
 *
 * @example
 * const middleware: Middleware = { beforePublish: () => halt("closed for maintenance") }
 */
export function halt(reason: unknown): Halt {
  const error = reason instanceof Error ? reason : new FleetPromptError("signal_halted", describeFailure(reason))
  return Object.freeze({ kind: "halt", error })
}
