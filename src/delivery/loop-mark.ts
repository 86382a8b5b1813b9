import type { Handler } from "./handler-definition.ts"

/*
 * A piece of memory that the event loop writes and another thread reads, also while the loop is blocked:
 * a tick, and which call of a handler is in its synchronous part, before its first await. Such a call is to
 * blame when the loop stands still meanwhile. What goes on after an await cannot be told apart at this price.
 */

const TICK = 0
const SERIAL = 1
/** The handler's place, from 1 on; 0 while no call is in its synchronous part. */
const HANDLER = 2
const COUNT = 3
const IDS_AT = 16
/** A signal's id is a UUID. */
const ID_LENGTH = 36
/** Signals of one call at most, which is the largest batch that a handler may have. */
const MAX_IDS = 1_000

/** What the memory says. */
export interface LoopState {
  /** Grows for as long as the loop goes round. */
  readonly tick: number
  /** The call that is in its synchronous part, if one is. */
  readonly call: MarkedCall | undefined
}

/** A call of a handler. */
export interface MarkedCall {
  /** Another one for each call. */
  readonly serial: number
  /** The handler's place: how many were marked before it. */
  readonly handler: number
  readonly signalIds: readonly string[]
}

/** Writes the memory. Handlers may be marked at any time; each has the next place. */
export class LoopMark {
  readonly memory = new SharedArrayBuffer(IDS_AT + ID_LENGTH * MAX_IDS)
  readonly #words = new Int32Array(this.memory, 0, IDS_AT / 4)
  readonly #ids = Buffer.from(this.memory, IDS_AT)
  #places = 0

  /** The loop has come round. */
  tick(): void {
    Atomics.add(this.#words, TICK, 1)
  }

  /** The same handler, whose calls are marked. */
  mark(handler: Handler): Handler {
    const place = this.#places++
    return {
      ...handler,
      run: (context) => {
        this.#begin(place, context.signals)
        try {
          return handler.run(context)
        } finally {
          Atomics.store(this.#words, HANDLER, 0)
        }
      },
    }
  }

  #begin(place: number, signals: readonly { readonly id: string }[]): void {
    let at = 0
    for (const { id } of signals) at += this.#ids.write(id, at, ID_LENGTH, "latin1")
    this.#words[COUNT] = signals.length
    Atomics.add(this.#words, SERIAL, 1)
    // Last, so that whoever sees it sees the rest.
    Atomics.store(this.#words, HANDLER, place + 1)
  }
}

/** Reads what a `LoopMark` wrote. Only while the loop stands still do the parts fit together for sure. */
export function readLoop(memory: SharedArrayBuffer): LoopState {
  const words = new Int32Array(memory, 0, IDS_AT / 4)
  const tick = Atomics.load(words, TICK)
  const handler = Atomics.load(words, HANDLER) - 1
  if (handler < 0) return { tick, call: undefined }
  const ids = Buffer.from(memory, IDS_AT, (words[COUNT] ?? 0) * ID_LENGTH).toString("latin1")
  const signalIds = ids.match(/.{36}/g) ?? []
  return { tick, call: { serial: Atomics.load(words, SERIAL), handler, signalIds } }
}
