/** How long everything takes. */
export interface Effort {
  readonly isQuick: boolean
  /** How often each stage runs; the figures are medians. */
  readonly rounds: number
  /** How long a rate is measured, milliseconds. */
  readonly rateMs: number
  readonly latencyMs: number
  readonly idleMs: number
  /** Events of our backlog. */
  readonly backlog: number
  /** Of a peer's. */
  readonly peerBacklog: number
  /** Of those that would take minutes. */
  readonly slowBacklog: number
  readonly timeoutMs: number
}

/** Under five minutes in all on two cores. */
export const QUICK: Effort = {
  isQuick: true,
  rounds: 1,
  rateMs: 1_500,
  latencyMs: 4_000,
  idleMs: 8_000,
  backlog: 100_000,
  peerBacklog: 30_000,
  slowBacklog: 2_000,
  timeoutMs: 60_000,
}

/** As long as it takes, about an hour. */
export const FULL: Effort = {
  isQuick: false,
  rounds: 3,
  rateMs: 3_000,
  latencyMs: 10_000,
  idleMs: 10_000,
  backlog: 100_000,
  peerBacklog: 100_000,
  slowBacklog: 20_000,
  timeoutMs: 300_000,
}
