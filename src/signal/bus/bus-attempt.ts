import { isPromiseLike } from "./bus-in-order.ts"
import type { Clock } from "../clock.ts"
import type { DispatchContext } from "../dispatch/dispatch-adapter.ts"
import { DispatchError } from "../dispatch/dispatch-error.ts"
import type { Signal } from "../signal.ts"

/** A dispatch that was checked, ready to take signals. Made by `Dispatcher.prepare`. */
export interface PreparedDispatch {
  readonly kind: "function" | "adapter" | "list"
  /** The function's or the adapter's name, or how many targets the list has. */
  readonly name: string
  /** How long it may take for one signal, milliseconds. */
  readonly timeoutMs: number
  /** Hands a signal on; a promise says when that is done. */
  readonly deliver: (signal: Signal, context: DispatchContext) => unknown
}

/**
 * One try to hand a signal on. It is what the target is given besides the signal; its AbortSignal is
 * made when somebody asks for it, because most targets never do and making one costs more than a call.
 */
export class Attempt implements DispatchContext {
  readonly attempt: number
  #controller: AbortController | undefined
  #end: { readonly reason: Error } | undefined
  #onEnd: ((reason: Error) => void) | undefined

  constructor(attempt: number) {
    this.attempt = attempt
  }

  get abort(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#end) this.#controller.abort(this.#end.reason)
    }
    return this.#controller.signal
  }

  /** Ends it before the target has finished. Only the first call counts. */
  end(reason: Error): void {
    if (this.#end) return
    this.#end = { reason }
    this.#onEnd?.(reason)
    this.#controller?.abort(reason)
  }

  /** Calls back when it is ended. There is one listener. */
  onEnd(listener: (reason: Error) => void): void {
    if (this.#end) listener(this.#end.reason)
    else this.#onEnd = listener
  }
}

/**
 * Hands a signal on. Returns nothing when that is done at once, else a promise that rejects when the
 * target fails, its time is over, or the attempt is ended.
 */
export function runAttempt(
  prepared: PreparedDispatch,
  signal: Signal,
  attempt: Attempt,
  clock: Clock,
): void | Promise<void> {
  const result = prepared.deliver(signal, attempt)
  if (isPromiseLike(result)) return waitForAttempt(result, prepared, attempt, clock)
}

/** Waits for what a target returned: rejects when it does, when its time is over, or when the attempt is ended. */
export function waitForAttempt(
  result: PromiseLike<unknown>,
  { name, timeoutMs }: PreparedDispatch,
  attempt: Attempt,
  clock: Clock,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => attempt.end(timedOut(name, timeoutMs)))
    attempt.onEnd((reason) => {
      cancel()
      reject(reason)
    })
    Promise.resolve(result)
      .finally(cancel)
      .then(() => resolve(), reject)
  })
}

function timedOut(name: string, timeoutMs: number): DispatchError {
  return new DispatchError(
    "dispatch_failed",
    `expected ${name} to take a signal within ${timeoutMs} ms, but it did not; raise timeoutMs or see what it waits for`,
  )
}

/** Ends the attempt when the signal fires, until the returned function is called. */
export function follow(abort: AbortSignal, attempt: Attempt): () => void {
  // The reason is whatever the one who aborts gave; an error by custom.
  const stop = () => attempt.end(abort.reason as Error)
  if (abort.aborted) stop()
  else abort.addEventListener("abort", stop, { once: true })
  return () => abort.removeEventListener("abort", stop)
}
