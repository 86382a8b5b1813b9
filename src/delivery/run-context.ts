import type { RevealedSecrets } from "../guard/revealed.ts"
import type { JsonValue } from "../signal/json.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { ClaimedDelivery } from "../store/deliveries.ts"
import type { HandlerContext, HandlerCredentials } from "./handler-definition.ts"

/** Emits for a handler: the caller adds cause, correlation and dedupe key, and masks what was revealed. */
export type EmitForHandler = (
  cause: StoredSignal,
  delivery: ClaimedDelivery,
  revealed: RevealedSecrets,
) => HandlerContext["emit"]

/** Opens the tenant's credentials for one attempt, and notes what is revealed of them. */
export type CredentialsForHandler = (delivery: ClaimedDelivery, revealed: RevealedSecrets) => HandlerCredentials

/** What one attempt works with, besides its signals. */
export interface RunDeps {
  readonly emitFor: EmitForHandler
  readonly credentialsFor: CredentialsForHandler
  readonly revealed: RevealedSecrets
}

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
  readonly #deps: RunDeps

  constructor(
    delivery: ClaimedDelivery,
    signals: readonly [StoredSignal<JsonValue>, ...StoredSignal<JsonValue>[]],
    abort: LazyAbort,
    deps: RunDeps,
  ) {
    this.signal = signals[0]
    this.signals = signals
    this.#delivery = delivery
    this.#abort = abort
    this.#deps = deps
    let emit: HandlerContext["emit"] | undefined
    this.emit = (type, data, options) => {
      emit ??= deps.emitFor(this.signal, delivery, deps.revealed)
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

  get credentials(): HandlerCredentials {
    return this.#deps.credentialsFor(this.#delivery, this.#deps.revealed)
  }
}

/** Names the delivery, the same in each attempt. */
export function deliveryId({ signalId, handler }: Pick<ClaimedDelivery, "signalId" | "handler">): string {
  return `${signalId}:${handler}`
}
