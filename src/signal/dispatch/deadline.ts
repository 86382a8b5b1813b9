import type { Clock } from "../clock.ts"

/** A time limit on work that is under way. */
export interface Deadline {
  /** Fires when the outer signal does, or when the time is over. */
  readonly abort: AbortSignal
  /** Frees the timer and the listener; call it when the work has ended. */
  readonly end: () => void
}

/** What a deadline is made of. */
export interface DeadlineOptions {
  readonly outer: AbortSignal
  readonly ms: number
  readonly clock: Clock
  /** Makes the reason of the abort when the time is over. */
  readonly expired: () => Error
}

/** Starts a time limit. `AbortSignal.any` would do, but it keeps each outer listener for as long as the outer lives. */
export function deadline({ outer, ms, clock, expired }: DeadlineOptions): Deadline {
  const controller = new AbortController()
  const follow = () => controller.abort(outer.reason)
  const cancel = clock.after(ms, () => controller.abort(expired()))
  if (outer.aborted) follow()
  else outer.addEventListener("abort", follow, { once: true })
  return {
    abort: controller.signal,
    end: () => {
      cancel()
      outer.removeEventListener("abort", follow)
    },
  }
}

/** What the work gives, or a rejection with the reason as soon as the signal fires, whether the work notices or not. */
export function orAborted<Result>(work: Promise<Result>, abort: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    // The reason is whatever the one who aborts gave.
    const stop = () => reject(abort.reason as Error)
    if (abort.aborted) stop()
    else abort.addEventListener("abort", stop, { once: true })
    work.then(resolve, reject).finally(() => abort.removeEventListener("abort", stop))
  })
}

/** Waits; true when the time has passed, false as soon as the signal fires. */
export function waitUnlessAborted(ms: number, abort: AbortSignal, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    if (abort.aborted) return resolve(false)
    const stop = () => {
      cancel()
      resolve(false)
    }
    const cancel = clock.after(ms, () => {
      abort.removeEventListener("abort", stop)
      resolve(true)
    })
    abort.addEventListener("abort", stop, { once: true })
  })
}
