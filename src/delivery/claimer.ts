import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Database } from "../store/database.ts"
import {
  claimDeliveries,
  type ClaimedDelivery,
  type LaneShare,
  noteLostAttempts,
  settleDeliveries,
} from "../store/deliveries.ts"
import type { Placements } from "../store/placements.ts"
import { selectSignalsOf } from "../store/signals.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import { claimWithin } from "./flow-claim.ts"
import type { Handler } from "./handler-definition.ts"
import type { LaneRing, RingRules } from "./lane-ring.ts"
import { tellLost } from "./tell-settled.ts"

/** A claimed delivery with its signal. */
export interface Claimed {
  readonly delivery: ClaimedDelivery
  readonly signal: StoredSignal
  /** The quoted schema of its tenant. */
  readonly schema: string
}

/** What claims are made with. */
export interface ClaimerDeps {
  readonly worker: string
  readonly database: Database
  readonly placements: Placements
  readonly telemetry: Telemetry
  readonly handlers: ReadonlyMap<string, Handler>
  readonly ring: LaneRing
  readonly rules: RingRules
  readonly leaseMs: number
  /** The queue is to be looked at again after so long. */
  readonly wakeIn: (ms: number) => void
}

/** Claims what the ring offers, and reads the signals. */
export class Claimer {
  readonly #deps: ClaimerDeps
  /** Where claims by key ended, by handler and tenant. */
  readonly #lastKeys = new Map<string, string>()

  constructor(deps: ClaimerDeps) {
    this.#deps = deps
  }

  /** Claims at most so many. Never rejects: what fails is told, and tried again later. */
  async claim(limit: number): Promise<readonly Claimed[]> {
    const { telemetry, worker, rules, ring } = this.#deps
    const shares = ring.shares(limit, rules)
    if (shares.length === 0) return []
    const elapsed = stopwatch()
    try {
      const fields = { worker, lanes: shares.length }
      const deliveries = await telemetry.span(
        "claim",
        fields,
        () => this.#claimAll(shares),
        ({ length }) => ({ deliveries: length }),
      )
      if (deliveries.length === 0) return []
      telemetry.tell("delivery.claimed", { worker, count: deliveries.length, durationMs: elapsed() })
      return await this.#load(deliveries)
    } catch (error) {
      // What was claimed comes back when its lease ends.
      telemetry.tell("background.failed", { step: "claim", error })
      await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400))
      return []
    }
  }

  async #claimAll(shares: readonly LaneShare[]): Promise<readonly ClaimedDelivery[]> {
    const flowOf = ({ handler }: LaneShare): Handler["flow"] => this.#deps.handlers.get(handler)?.flow ?? "plain"
    const plain = shares.filter((share) => flowOf(share) === "plain")
    const claimed = plain.length === 0 ? [] : await this.#claimPlain(plain)
    const limited: ClaimedDelivery[] = []
    for (const share of shares.filter((each) => flowOf(each) !== "plain")) {
      limited.push(...(await this.#claimLimited(share)))
    }
    return [...claimed, ...limited]
  }

  async #claimPlain(shares: readonly LaneShare[]): Promise<readonly ClaimedDelivery[]> {
    const { database, worker, leaseMs, ring } = this.#deps
    const claimed = await claimDeliveries(database.hot, { worker, leaseMs }, shares)
    const counts = new Map<string, number>()
    for (const { handler, tenant, priority } of claimed) {
      const key = `${handler} ${tenant} ${priority}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    for (const share of shares) {
      const { handler, tenant, priority, take } = share
      if ((counts.get(`${handler} ${tenant} ${priority}`) ?? 0) < take) ring.remove(share)
    }
    return claimed
  }

  async #claimLimited(share: LaneShare): Promise<readonly ClaimedDelivery[]> {
    const { database, worker, leaseMs, ring, handlers, wakeIn } = this.#deps
    const handler = handlers.get(share.handler)
    const schema = await this.#findSchema(share.tenant)
    if (!handler || schema === undefined) {
      ring.remove(share)
      return []
    }
    const place = `${share.handler} ${share.tenant}`
    const after = this.#lastKeys.get(place) ?? ""
    const request = { worker, leaseMs }
    const { deliveries, againInMs } = await claimWithin(database, { handler, share, request, schema, after })
    if (deliveries.length < share.take) ring.remove(share)
    if (againInMs !== null) wakeIn(Math.max(1, againInMs))
    const last = deliveries.at(-1)?.flowKey
    if (last != null) this.#lastKeys.set(place, last)
    return deliveries
  }

  async #findSchema(tenant: string): Promise<string | undefined> {
    const { placements } = this.#deps
    try {
      return (placements.known(tenant) ?? (await placements.find(tenant))).scope.schema
    } catch (error) {
      this.#deps.telemetry.tell("background.failed", { step: "claim", error })
      return undefined
    }
  }

  /** The signals of each schema are read together. */
  async #load(deliveries: readonly ClaimedDelivery[]): Promise<readonly Claimed[]> {
    const bySchema = new Map<string, ClaimedDelivery[]>()
    for (const delivery of deliveries) {
      const schema = await this.#findSchema(delivery.tenant)
      if (schema === undefined) continue
      const group = bySchema.get(schema)
      if (group) group.push(delivery)
      else bySchema.set(schema, [delivery])
    }
    const loaded = await Promise.all([...bySchema].map(([schema, group]) => this.#loadSchema(schema, group)))
    return loaded.flat()
  }

  async #loadSchema(schema: string, group: readonly ClaimedDelivery[]): Promise<readonly Claimed[]> {
    const { database, telemetry } = this.#deps
    const lost = group.filter(({ lostBy }) => lostBy !== null)
    if (lost.length > 0) await noteLostAttempts(database, schema, lost)
    const keys = new Map(group.map(({ tenant, signalId }) => [`${tenant} ${signalId}`, { tenant, id: signalId }]))
    const fields = { schema, signals: keys.size }
    const signals = await telemetry.span("load", fields, () =>
      selectSignalsOf(database.hot, schema, [...keys.values()]),
    )
    const byKey = new Map(signals.map((signal) => [`${signal.tenant} ${signal.id}`, signal]))
    const found = group.flatMap((delivery) => {
      const signal = byKey.get(`${delivery.tenant} ${delivery.signalId}`)
      return signal ? [{ delivery, signal, schema }] : []
    })
    if (found.length < group.length) await this.#cancelGone(schema, group, byKey)
    for (const { delivery, signal } of found) if (delivery.lostBy !== null) tellLost(delivery, signal, telemetry)
    return found
  }

  /** A delivery whose signal is not there any more has nothing to run on. */
  async #cancelGone(
    schema: string,
    group: readonly ClaimedDelivery[],
    found: ReadonlyMap<string, StoredSignal>,
  ): Promise<void> {
    const gone = group.filter(({ tenant, signalId }) => !found.has(`${tenant} ${signalId}`))
    const error = { name: "SignalGone", message: "the signal is not in the store any more; nothing is left to do" }
    const settlements = gone.map((delivery) => ({
      delivery,
      error,
      outcome: "cancelled" as const,
      ...{
        durationMs: 0,
        retryInMs: 0,
        version: 1,
      },
    }))
    await settleDeliveries(this.#deps.database, schema, this.#deps.worker, settlements)
  }
}
