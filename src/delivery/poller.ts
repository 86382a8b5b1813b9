import type { Database } from "../store/database.ts"
import type { Lane } from "../store/deliveries.ts"
import { findLanes, type LaneState } from "../store/lanes.ts"
import { pausedBy, selectHolds } from "../store/pauses.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"

/** What the poller works with. */
export interface PollerDeps {
  readonly worker: string
  readonly database: Database
  readonly telemetry: Telemetry
  /** Names of the handlers whose lanes are looked for, asked anew at each look. */
  readonly handlers: () => readonly string[]
  /** How often the queue is looked at when nothing asks for it sooner, milliseconds. */
  readonly pollMs: number
  /** A lane holds something due. */
  readonly onLane: (lane: Lane) => void
  /** What a look found, told before its lanes are. */
  readonly onLook: (look: Look) => void
  /** A look has ended, whatever came of it. */
  readonly onPolled: () => void
}

/** What a look at the queue found. */
export interface Look {
  /** All lanes that hold anything. */
  readonly lanes: readonly LaneState[]
  /** Before it was asked, milliseconds of `performance.now()`. */
  readonly askedAt: number
}

/** Pauses are read anew at each so many polls, and whenever a change is announced. */
const PAUSES_EVERY = 5

/** Looks at the queue for what no announcement told: lost ones, what came due, and what lost workers held. Knows what is paused. */
export class Poller {
  readonly #deps: PollerDeps
  #isHeld: (tenant: string, handler: string) => boolean = () => false
  #polls = 0
  /** Changes of pauses that were told of, and how many of these the pauses that are known come from. */
  #told = 0
  #known = -1
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY
  #isPolling = false
  #isAskedAgain = false
  #isStopped = false

  constructor(deps: PollerDeps) {
    this.#deps = deps
  }

  /** Looks now, and then again and again. */
  start(): Promise<void> {
    return this.#poll()
  }

  /** Looks no more. */
  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  /** Whether a tenant's deliveries of a handler are not to be begun; none are between a change and the look that reads it. */
  isPaused(tenant: string, handler: string): boolean {
    return this.#known < this.#told || this.#isHeld(tenant, handler)
  }

  /** Someone paused or resumed something. */
  readPauses(): void {
    this.#told += 1
    this.within(0)
  }

  /** Sees to it that the next look is not later than this. */
  within(atMostMs: number): void {
    if (this.#isStopped || this.#deps.handlers().length === 0) return
    // It is looked so often anyway, and a timer of a month would fire at once.
    const ms = Math.min(atMostMs, this.#deps.pollMs)
    const at = performance.now() + ms
    if (this.#timer && this.#at <= at) return
    clearTimeout(this.#timer)
    this.#at = at
    this.#timer = setTimeout(() => void this.#poll(), ms)
  }

  async #poll(): Promise<void> {
    this.#timer = undefined
    this.#at = Number.POSITIVE_INFINITY
    if (this.#isPolling) return void (this.#isAskedAgain = true)
    this.#isPolling = true
    const nextMs = await this.#look()
    this.#deps.onPolled()
    this.#isPolling = false
    this.within(this.#isAskedAgain ? 0 : nextMs)
    this.#isAskedAgain = false
  }

  /** Never rejects. Answers when the next look is due, milliseconds. */
  async #look(): Promise<number> {
    const { worker, database, telemetry, handlers, pollMs, onLane, onLook } = this.#deps
    let nextMs = pollMs
    try {
      await telemetry.span("poll", { worker }, async () => {
        if (this.#polls++ % PAUSES_EVERY === 0 || this.#known < this.#told) await this.#readHolds()
        const askedAt = performance.now()
        const lanes = await findLanes(database.hot, handlers())
        onLook({ lanes, askedAt })
        for (const lane of lanes) {
          if (lane.isDue) onLane(lane)
          if (lane.dueInMs !== null) nextMs = Math.min(nextMs, lane.dueInMs + 1)
        }
      })
    } catch (error) {
      telemetry.tell("background.failed", { step: "poll", error })
    }
    return nextMs
  }

  async #readHolds(): Promise<void> {
    const told = this.#told
    this.#isHeld = pausedBy(await selectHolds(this.#deps.database))
    this.#known = told
  }
}
