import type { Contender } from "./contenders.ts"
import type { Load } from "./load.ts"

/**
 * What is measured in one go, and which rows get each of its values, in the order in which the step gives
 * them. Mostly one row a value; a peer has one figure for two rows where the difference is only ours.
 */
export type Step =
  /** Events a second; without a worker. */
  | { readonly kind: "emit"; readonly rows: Rows; readonly load: Load }
  /** Events a second, until all are settled. */
  | { readonly kind: "handle"; readonly rows: Rows; readonly load: Load }
  /** p50 and p99, milliseconds. */
  | { readonly kind: "latency"; readonly rows: Rows; readonly perSecond: number | "half"; readonly forMs: number }
  /** Events a second; p99 of the small tenant, milliseconds. */
  | { readonly kind: "backlog"; readonly rows: Rows; readonly events: number; readonly smallPerSecond: number }
  /** Queries a second; share of a core, percent. */
  | { readonly kind: "idle"; readonly rows: Rows; readonly forMs: number }
  /** Megabytes a million events. */
  | { readonly kind: "size"; readonly rows: Rows; readonly events: number; readonly forMs: number }

export type Rows = readonly (readonly string[])[]

/** A contender on a fresh database, with processes of its own. */
export interface Trial {
  readonly contender: Contender
  readonly handlers: number
  readonly tenants: readonly string[]
  readonly placement: "own" | "shared"
  /** What the contender is tuned for, if it is. */
  readonly goal: "throughput" | "latency"
  /**
   * Its processes: one that emits and handles; one that only emits; an emitter and a worker side by side; or
   * first an emitter, and when it has ended a worker.
   */
  readonly layout: "one" | "emitter" | "two" | "in turn"
  readonly steps: readonly Step[]
  readonly timeoutMs: number
  /** Runs in the first round only, because it takes long and no target comes from it. */
  readonly isOnce: boolean
}

/** Trials that run one after another, or at the same time when they do not want the machine for themselves. */
export interface Stage {
  readonly name: string
  readonly isTogether: boolean
  readonly trials: readonly Trial[]
}

/** The tenant that floods, and the one that suffers it or not. */
export const FLOODER = "flooder"
export const SMALL = "small"
