import type { Signal } from "../signal.ts"

/** What an adapter is given besides the signal. */
export interface DispatchContext {
  /** Fires when the delivery's time is over, or whoever asked for it is gone. */
  readonly abort: AbortSignal
  /** 1 for the first try of this delivery. */
  readonly attempt: number
}

/**
 * A way to hand a signal on, known by its name: `http`, `webhook`, `logger`. Adapters are one file each;
 * `dispatchContract` says how they must behave, and anyone may register another.
 */
export interface DispatchAdapter<Options = unknown> {
  /** How a dispatch names it: `{ to: "http", url: "…" }`. Lower-case letters, digits and `_`. */
  readonly name: string
  /**
   * Checks the options when a dispatch is set up, before any signal comes, and fills in defaults.
   *
   * @throws FleetPromptError `dispatch_invalid`, whose message names the option and never shows a secret
   */
  readonly validate: (options: Readonly<Record<string, unknown>>) => Options
  /** Hands the signal on. A rejection means that it did not arrive. */
  readonly deliver: (signal: Signal, options: Options, context: DispatchContext) => Promise<void> | void
}
