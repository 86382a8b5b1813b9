import type { Database } from "../store/database.ts"
import { type ClaimedDelivery, putOffDeliveries } from "../store/deliveries.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { HandlerSet } from "./handler-set.ts"

/** What suspects are told from others with. */
export interface SuspectsDeps {
  readonly database: Database
  readonly telemetry: Telemetry
  readonly handlers: Pick<HandlerSet, "get">
  /** Everything that this process holds. */
  readonly held: () => readonly { readonly delivery: ClaimedDelivery }[]
}

/** With each attempt that is left, so many times more suspects may be held at once. */
const NARROWING = 8
/** How long a suspect is left alone that cannot be taken now; each by up to a half less or more, milliseconds. */
const PUT_OFF_MS = 1_000

/**
 * Deliveries whose last worker went away: any of them may be what ended it. When process after process goes away,
 * whatever they held is claimed, and counted, again and again beside the one that is to blame, and would be given up
 * with it. So the fewer attempts a suspect has left, the fewer are held by one process: one in the last attempt, 8
 * in the one before, 64 before that. The others are put back as they were. What was only beside gets through.
 */
export class Suspects {
  readonly #deps: SuspectsDeps
  /** Let through, and not held yet. */
  readonly #coming = new Set<ClaimedDelivery>()
  #hasPutOff = false

  constructor(deps: SuspectsDeps) {
    this.#deps = deps
  }

  /**
   * Lets through as many suspects as may be held together, and puts back the others. Never rejects.
   *
   * @returns what is left; `came` is to be called with it.
   */
  async sift(claimed: readonly ClaimedDelivery[]): Promise<readonly ClaimedDelivery[]> {
    if (claimed.every(({ lostBy }) => lostBy === null)) return claimed
    const held = [...this.#deps.held().map(({ delivery }) => delivery), ...this.#coming].map((each) => this.#most(each))
    let count = held.filter(Number.isFinite).length
    let most = Math.min(...held)
    const others = new Set<ClaimedDelivery>()
    for (const delivery of claimed) {
      const own = this.#most(delivery)
      if (own === Infinity) continue
      if (count >= Math.min(most, own)) {
        others.add(delivery)
        continue
      }
      count += 1
      most = Math.min(most, own)
      this.#coming.add(delivery)
    }
    if (others.size > 0) await this.#putOff([...others])
    return claimed.filter((delivery) => !others.has(delivery))
  }

  /** What was let through is held now, or was given back. */
  came(deliveries: readonly ClaimedDelivery[]): void {
    for (const delivery of deliveries) this.#coming.delete(delivery)
  }

  /** Whether there may be room for suspects that were put back, now that a delivery has ended. True once. */
  makesRoom({ lostBy }: ClaimedDelivery): boolean {
    if (lostBy === null || !this.#hasPutOff) return false
    this.#hasPutOff = false
    return true
  }

  /** How many suspects may be held together with this one; Infinity for one that is none, or is to be given up. */
  #most({ handler, tenant, attempt, lostBy }: ClaimedDelivery): number {
    const left = (this.#deps.handlers.get(handler, tenant)?.attempts ?? 0) - attempt
    return lostBy === null || left < 0 ? Infinity : NARROWING ** left
  }

  async #putOff(deliveries: readonly ClaimedDelivery[]): Promise<void> {
    this.#hasPutOff = true
    try {
      await putOffDeliveries(this.#deps.database.hot, deliveries, PUT_OFF_MS)
    } catch (error) {
      // Their leases end by themselves.
      this.#deps.telemetry.tell("background.failed", { step: "release", error })
    }
  }
}
