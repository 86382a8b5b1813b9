import { claimDeliveries, type ClaimedDelivery, type Lane, type LaneShare } from "../store/deliveries.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import { claimWithin } from "./flow-claim.ts"
import type { Handler } from "./handler-definition.ts"
import type { HandlerSet } from "./handler-set.ts"
import type { LaneRing, RingRules, RingShare } from "./lane-ring.ts"
import { type Claimed, findSchema, type LoaderDeps, loadSignals } from "./signal-loader.ts"

/** What claims are made with. */
export interface ClaimerDeps extends LoaderDeps {
  readonly handlers: Pick<HandlerSet, "get">
  readonly ring: LaneRing
  readonly rules: RingRules
  readonly leaseMs: number
  /** The queue is to be looked at again after so long. */
  readonly wakeIn: (ms: number) => void
}

/** A lane that a limit held back, and whether it got something when it was asked. */
interface Parked {
  readonly lane: Lane
  readonly hasGot: boolean
}

/** What a claim got. */
export interface Claim {
  readonly deliveries: readonly ClaimedDelivery[]
  /** The deliveries with their signals, when they were read; never rejects. Those that could not be read are not among them. */
  readonly loaded: Promise<readonly Claimed[]>
}

const NOTHING: Claim = { deliveries: [], loaded: Promise.resolve([]) }

/** Limited lanes that are asked at the same time; each takes a connection. */
const LIMITED_AT_ONCE = 4
/** Lanes of which it is known when they were asked; beyond it all count as never asked. */
const MAX_ASKED = 10_000

/** Rest after a claim that failed: so long, and up to as long again. */
const REST_MS = 100

/** Claims what the ring offers, and reads the signals. */
export class Claimer {
  readonly #deps: ClaimerDeps
  /** Where claims by key ended, by handler and tenant. */
  readonly #lastKeys = new Map<string, string>()
  /** Lanes that a limit held back, by handler: something that ends may let them on. */
  readonly #parked = new Map<string, Map<string, Parked>>()
  /** How often something ended, by handler: a claim meanwhile may have seen the limit as it was before. */
  readonly #unparks = new Map<string, number>()

  #isPlainTurn = false
  #isStopped = false
  /** When each limited lane was asked last, as the number of that question. */
  readonly #asked = new Map<string, number>()
  #asks = 0

  constructor(deps: ClaimerDeps) {
    this.#deps = deps
  }

  /**
   * Claims at most so many, and begins to read their signals. Never rejects: what fails is told, and tried again later.
   *
   * @returns undefined when no lane could be asked. A lane that was asked and had less is out of the ring then.
   */
  async claim(limit: number): Promise<Claim | undefined> {
    const { telemetry, worker, rules, ring } = this.#deps
    const shares = ring.shares(limit, rules)
    if (shares.length === 0) return undefined
    const elapsed = stopwatch()
    const fields = { worker, lanes: shares.length }
    const deliveries = await telemetry.span(
      "claim",
      fields,
      () => this.#claimAll(shares),
      ({ length }) => ({ deliveries: length }),
    )
    if (deliveries.length === 0) return NOTHING
    telemetry.tell("delivery.claimed", { worker, count: deliveries.length, durationMs: elapsed() })
    const byLane = new Map(shares.map((share) => [laneKey(share), share]))
    const loaded = loadSignals(deliveries, this.#deps, (delivery) => {
      const share = byLane.get(laneKey(delivery))
      if (share) ring.remove(share)
    })
    return { deliveries, loaded }
  }

  /**
   * Lanes that wait for a limit which a delivery of this handler and tenant may have been under. First those that
   * got nothing when they were asked, so that the lanes take turns.
   */
  unpark({ name, limits }: Handler, tenant: string): readonly Lane[] {
    this.#unparks.set(name, this.#unparksOf(name) + 1)
    const parked = this.#parked.get(name)
    if (!parked) return []
    const isForAll = limits.global !== undefined || limits.rate?.per === "global"
    const those = [...parked.values()].filter(({ lane }) => isForAll || lane.tenant === tenant)
    for (const { lane } of those) parked.delete(laneKey(lane))
    if (parked.size === 0) this.#parked.delete(name)
    return those.toSorted((one, other) => Number(one.hasGot) - Number(other.hasGot)).map(({ lane }) => lane)
  }

  /** Begins no further claim, although one may be being prepared. */
  stop(): void {
    this.#isStopped = true
  }

  #unparksOf(handler: string): number {
    return this.#unparks.get(handler) ?? 0
  }

  /**
   * Plain lanes together, or a few limited ones, in turn: each limited lane takes a transaction and perhaps a wait for
   * a lock, and what was claimed meanwhile would lose its lease before it begins.
   */
  async #claimAll(shares: readonly RingShare[]): Promise<readonly ClaimedDelivery[]> {
    const isPlain = ({ handler, tenant }: RingShare): boolean =>
      this.#deps.handlers.get(handler, tenant)?.flow === "plain"
    const plain = shares.filter(isPlain)
    const limited = shares.filter((share) => !isPlain(share))
    this.#isPlainTurn = !this.#isPlainTurn
    if (limited.length === 0 || (plain.length > 0 && this.#isPlainTurn))
      return this.#orNothing(plain, (those) => this.#claimPlain(those))
    const few = this.#longestUnasked(limited)
    const claimed = await Promise.all(few.map((share) => this.#orNothing([share], () => this.#claimLimited(share))))
    return claimed.flat()
  }

  /** Those that were asked longest ago, in the order in which the ring has them. */
  #longestUnasked(shares: readonly RingShare[]): readonly RingShare[] {
    const askedAt = (share: RingShare): number => this.#asked.get(laneKey(share)) ?? 0
    const byAge = shares.toSorted((one, other) => askedAt(one) - askedAt(other))
    const oldest = new Set(byAge.slice(0, LIMITED_AT_ONCE))
    const few = shares.filter((share) => oldest.has(share))
    if (this.#asked.size > MAX_ASKED) this.#asked.clear()
    for (const share of few) this.#asked.set(laneKey(share), ++this.#asks)
    return few
  }

  /** Lanes whose claim fails are left to the next poll, and hold up no others. */
  async #orNothing(
    shares: readonly RingShare[],
    claim: (shares: readonly RingShare[]) => Promise<readonly ClaimedDelivery[]>,
  ): Promise<readonly ClaimedDelivery[]> {
    if (shares.length === 0) return []
    try {
      return await claim(shares)
    } catch (error) {
      this.#deps.telemetry.tell("background.failed", { step: "claim", error })
      for (const share of shares) this.#deps.ring.remove(share)
      await new Promise((resolve) => setTimeout(resolve, REST_MS * (1 + Math.random())))
      return []
    }
  }

  async #claimPlain(shares: readonly RingShare[]): Promise<readonly ClaimedDelivery[]> {
    const { database, worker, leaseMs, ring } = this.#deps
    const claimed = await claimDeliveries(
      database.hot,
      { worker, leaseMs },
      shares.map((share) => this.#withAhead(share)),
    )
    const counts = new Map<string, number>()
    for (const delivery of claimed) counts.set(laneKey(delivery), (counts.get(laneKey(delivery)) ?? 0) + 1)
    for (const share of shares) if ((counts.get(laneKey(share)) ?? 0) < share.take) ring.remove(share)
    return claimed
  }

  #withAhead(share: RingShare): LaneShare {
    const aheadMs = this.#deps.handlers.get(share.handler, share.tenant)?.batchWaitMs ?? 0
    return aheadMs > 0 ? { ...share, aheadMs } : share
  }

  async #claimLimited(share: RingShare): Promise<readonly ClaimedDelivery[]> {
    const { database, worker, leaseMs, ring, handlers, wakeIn, placements } = this.#deps
    const handler = handlers.get(share.handler, share.tenant)
    const schema = await findSchema(share.tenant, this.#deps)
    const isHeld = placements.known(share.tenant)?.holdsDeliveries
    if (!handler || schema === undefined || isHeld || this.#isStopped) {
      ring.remove(share)
      return []
    }
    const place = `${share.handler} ${share.tenant}`
    const after = this.#lastKeys.get(place) ?? ""
    const request = { worker, leaseMs }
    const unparks = this.#unparksOf(handler.name)
    const claimed = await claimWithin(database, { handler, share, request, schema, after })
    const { deliveries, againInMs, isHeldBack } = claimed
    const mayGoOn = isHeldBack && this.#unparksOf(handler.name) !== unparks
    if (deliveries.length < share.take && !mayGoOn) {
      ring.remove(share)
      if (isHeldBack) this.#park(share, deliveries.length > 0)
      // The limit lets through what is urgent first, whenever it does: nobody asks for less urgent ones in between.
      if (isHeldBack && handler.flow === "limited") for (const lane of ring.removeBehind(share)) this.#park(lane, false)
    }
    if (againInMs !== null) wakeIn(Math.max(1, againInMs))
    const last = deliveries.at(-1)?.flowKey
    if (last == null) this.#lastKeys.delete(place)
    else this.#lastKeys.set(place, last)
    return deliveries
  }

  #park({ handler, tenant, priority }: Lane, hasGot: boolean): void {
    const parked = this.#parked.get(handler) ?? new Map<string, Parked>()
    this.#parked.set(handler, parked)
    const lane = { handler, tenant, priority }
    parked.delete(laneKey(lane))
    parked.set(laneKey(lane), { lane, hasGot })
  }
}

function laneKey({ handler, tenant, priority }: Lane): string {
  return `${handler} ${tenant} ${priority}`
}
