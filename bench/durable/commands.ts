import type { Emitted, Load, SteadyLoad } from "./load.ts"
import type { Setup } from "./station.ts"
import type { Faults } from "./tally.ts"

/** What a contender's process can be told to do. */
export interface Commands {
  readonly open: (order: OpenOrder) => Promise<void>
  /** Emits as fast as it can. */
  readonly emit: (load: Load) => Promise<Stored>
  /** Emits at a rate, each event with its time. */
  readonly emitSteadily: (load: SteadyLoad & { readonly forMs: number }) => Promise<Stored>
  /** Emits at a rate until the first so many events are handled, then waits until all are settled. */
  readonly drain: (order: SteadyLoad & Await) => Promise<Drained>
  /** Waits until the first so many events are handled and settled. */
  readonly settled: (order: Await) => Promise<Settled>
  readonly progress: () => Promise<Progress>
  /** The latencies since it was asked last. */
  readonly latencies: () => Promise<Latencies>
  readonly faults: (order: { readonly events: number }) => Promise<Faults>
  readonly discard: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface OpenOrder {
  /** File of `contenders/`, without its end. */
  readonly module: string
  readonly setup: Omit<Setup, "onHandled">
  /** The number of the first event of this process. */
  readonly firstEvent: number
}

export interface Await {
  readonly events: number
  /** How long to wait, milliseconds. */
  readonly patienceMs: number
}

/** What a load came to, and how many events there are in all. */
export interface Stored extends Emitted {
  readonly next: number
}

export interface Settled {
  readonly at: number
  /** Jobs that ran. */
  readonly handled: number
  /** False: patience ended first. */
  readonly complete: boolean
}

export interface Drained extends Settled {
  readonly firstAt: number
  readonly next: number
}

export interface Progress {
  readonly handled: number
  /** Time on the processor so far, milliseconds. */
  readonly cpuMs: number
}

export interface Latencies {
  readonly count: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

/** A command on its way to the process, and its answer. */
export interface Request {
  readonly id: number
  readonly name: keyof Commands
  readonly order: unknown
}

export type Response =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }
