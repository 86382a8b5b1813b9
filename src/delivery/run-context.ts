import type { JsonValue } from "../signal/json.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { ClaimedDelivery } from "../store/deliveries.ts"
import type { HandlerContext } from "./handler-definition.ts"

/** Emits for a handler: the caller adds cause, correlation and dedupe key. */
export type EmitForHandler = (cause: StoredSignal, delivery: ClaimedDelivery) => HandlerContext["emit"]

/** An abort that costs nothing until somebody listens. */
export class LazyAbort {
  #controller: AbortController | undefined
  #reason: unknown

  /** The signal to listen to. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#reason !== undefined && !this.#controller.signal.aborted) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  /** Fires the signal, now or for whoever asks for it later; only the first time counts. */
  abort(reason: Error): void {
    this.#reason ??= reason
    this.#controller?.abort(reason)
  }
}

/** What a handler is called with; the parts that few handlers use are made when they are asked for. */
export class RunContext implements HandlerContext {
  readonly signal: StoredSignal<JsonValue>
  readonly signals: readonly StoredSignal<JsonValue>[]
  readonly emit: HandlerContext["emit"]
  readonly #delivery: ClaimedDelivery
  readonly #abort: LazyAbort

  constructor(
    delivery: ClaimedDelivery,
    signals: readonly [StoredSignal<JsonValue>, ...StoredSignal<JsonValue>[]],
    abort: LazyAbort,
    emitFor: EmitForHandler,
  ) {
    this.signal = signals[0]
    this.signals = signals
    this.#delivery = delivery
    this.#abort = abort
    let emit: HandlerContext["emit"] | undefined
    this.emit = (type, data, options) => {
      emit ??= emitFor(this.signal, delivery)
      return emit(type, data, options)
    }
  }

  get tenant(): string {
    return this.#delivery.tenant
  }

  get deliveryId(): string {
    return deliveryId(this.#delivery)
  }

  get attempt(): number {
    return this.#delivery.attempt
  }

  get replay(): { readonly id: string } | null {
    const { replayId } = this.#delivery
    return replayId === null ? null : { id: replayId }
  }

  get abort(): AbortSignal {
    return this.#abort.signal
  }
}

/** Names the delivery, the same in each attempt. */
export function deliveryId({ signalId, handler }: Pick<ClaimedDelivery, "signalId" | "handler">): string {
  return `${signalId}:${handler}`
}
