import type { Queryable } from "../store/database.ts"
import { type ClaimedDelivery, extendLeases } from "../store/deliveries.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { Held } from "./held.ts"

/** What the leases are kept with. */
export interface LeasesDeps {
  readonly database: Queryable
  readonly telemetry: Telemetry
  readonly leaseMs: number
  /** Is told of what another worker has taken over. */
  readonly onLost: (held: Held) => void
}

/** Rows in one heartbeat. */
const MAX_BATCH = 1_000

/** Everything this process holds, and the heartbeat that keeps it. */
export class Leases {
  readonly #deps: LeasesDeps
  readonly #held = new Map<ClaimedDelivery, Held>()
  #heartbeat: NodeJS.Timeout | undefined
  #isUnderWay = false

  constructor(deps: LeasesDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#heartbeat = setInterval(() => void this.#extend(), this.#deps.leaseMs / 3)
  }

  stop(): void {
    clearInterval(this.#heartbeat)
  }

  add(held: Held): void {
    this.#held.set(held.delivery, held)
  }

  remove(delivery: ClaimedDelivery): void {
    this.#held.delete(delivery)
  }

  all(): readonly Held[] {
    return [...this.#held.values()]
  }

  /** Those that were claimed since the last heartbeat have most of their lease before them. */
  async #extend(): Promise<void> {
    if (this.#isUnderWay) return
    this.#isUnderWay = true
    const before = performance.now() - this.#deps.leaseMs / 4
    const held = this.all().filter(({ since }) => since < before)
    for (let at = 0; at < held.length; at += MAX_BATCH) await this.#extendSome(held.slice(at, at + MAX_BATCH))
    this.#isUnderWay = false
  }

  async #extendSome(held: readonly Held[]): Promise<void> {
    const { database, telemetry, leaseMs, onLost } = this.#deps
    try {
      const deliveries = held.map(({ delivery }) => delivery)
      const kept = await extendLeases(database, deliveries, leaseMs)
      held.forEach((each, at) => {
        // One that was settled meanwhile is not held any more.
        if (!kept.has(at) && this.#held.has(each.delivery)) onLost(each)
      })
    } catch (error) {
      telemetry.tell("background.failed", { step: "heartbeat", error })
    }
  }
}
