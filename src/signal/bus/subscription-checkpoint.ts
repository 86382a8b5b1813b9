import type { LoggedSignal } from "./bus-log.ts"
import type { Signal } from "../signal.ts"

/** A signal that a persistent subscription gave up on. */
export interface DeadLetter {
  readonly signal: Signal
  /** Tries made. */
  readonly attempts: number
  /** What the last try failed with, in short. */
  readonly reason: string
  /** When it was given up, RFC 3339. */
  readonly time: string
}

/** How far a persistent subscription has come, signal by signal. Plain JSON. */
export interface Checkpoint {
  /**
   * Id of the signal after which it goes on: the newest one that is settled (acknowledged, passed by, dead
   * or dropped), before that the one before its start. Null: at the oldest that is held.
   */
  readonly after: string | null
  /** Ids of the signals up to there that are not settled, oldest first. */
  readonly open: readonly string[]
  readonly deadLetters: readonly DeadLetter[]
}

/**
 * Keeps how far persistent subscriptions have come, so that it outlives the bus. Methods may answer at
 * once or with a promise.
 */
export interface CheckpointStore {
  /** The checkpoint that was saved last under this id. */
  readonly load: (subscription: string) => Checkpoint | undefined | Promise<Checkpoint | undefined>
  /** Keeps a checkpoint in place of the one before. Called one after the other for one id. */
  readonly save: (subscription: string, checkpoint: Checkpoint) => void | Promise<void>
  /** Forgets one. */
  readonly remove: (subscription: string) => void | Promise<void>
}

/**
 * A checkpoint store in memory: outlives a bus, not the process.
 *
 * @example
 * const checkpoints = memoryCheckpoints()
 * const bus = createBus({ checkpoints })
 */
export function memoryCheckpoints(): CheckpointStore {
  const checkpoints = new Map<string, Checkpoint>()
  return {
    load: (subscription) => checkpoints.get(subscription),
    save: (subscription, checkpoint) => void checkpoints.set(subscription, checkpoint),
    remove: (subscription) => void checkpoints.delete(subscription),
  }
}

/** What is left to do after a checkpoint. */
export interface Remainder {
  readonly signals: readonly LoggedSignal[]
  /** Whether the log lacks signals that are not settled, or the one that says where to go on. */
  readonly truncated: boolean
}

/** Which signals of the log are left to do: those open, and all behind the place that the checkpoint names. */
export function remainderAfter({ after, open }: Checkpoint, log: readonly LoggedSignal[]): Remainder {
  const place = after === null ? -1 : log.findIndex(({ signal }) => signal.id === after)
  const isOpen = new Set(open)
  const signals = log.filter(({ signal }, index) => index > place || isOpen.has(signal.id))
  const found = new Set(signals.map(({ signal }) => signal.id))
  const isPlaceLost = after !== null && place < 0
  return { signals, truncated: isPlaceLost || open.some((id) => !found.has(id)) }
}

/**
 * Saves checkpoints one after the other. Those that come while one is being saved are saved together,
 * since each holds all that the ones before held.
 */
export class CheckpointSaver {
  readonly #save: () => void | Promise<void>
  readonly #onError: (error: unknown) => void
  #isDue = false
  #saving: Promise<void> | undefined

  constructor(save: () => void | Promise<void>, onError: (error: unknown) => void) {
    this.#save = save
    this.#onError = onError
  }

  /** Has the checkpoint saved soon. */
  mark(): void {
    this.#isDue = true
    this.#saving ??= this.#saveAll()
  }

  /** Resolves when everything marked so far was saved, or failed and was reported. */
  async flush(): Promise<void> {
    // One that failed is tried once more.
    if (this.#isDue) this.mark()
    await this.#saving
  }

  /** Saves no more; resolves when the save under way has ended. */
  async stop(): Promise<void> {
    this.#isDue = false
    await this.#saving
    this.#isDue = false
  }

  async #saveAll(): Promise<void> {
    try {
      while (this.#isDue) {
        this.#isDue = false
        // What settles in the same turn is saved at once.
        await Promise.resolve()
        await this.#save()
      }
    } catch (error) {
      this.#isDue = true
      this.#onError(error)
    } finally {
      this.#saving = undefined
    }
  }
}
