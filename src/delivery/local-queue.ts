import type { Held } from "./held.ts"

/**
 * How many times what is free a tenant of weight 1 may hold, of slots and of places to wait: 4 leaves the last
 * fifth to others. This is the dynamic threshold of Choudhury and Hahne (IEEE/ACM Transactions on Networking 6(2), 1998), meant for packets
 * in a shared buffer: whoever has much gets less of what is left, without anybody counting who else is there.
 */
const ALPHA = 4
/** How far ahead deliveries of fast handlers are claimed, milliseconds of their work. */
const AHEAD_MS = 100
/** Most deliveries of one handler that wait here. */
const MAX_AHEAD = 2_000
/** Most deliveries that one claim brings. */
const MAX_CLAIM = 500
/** Weight of the newest duration in the moving average. */
const SMOOTHING = 0.1
/** What a handler is thought to take before it ran, milliseconds. */
const FIRST_GUESS_MS = 100

/** What the queue works with. */
export interface LocalQueueSettings {
  /** Calls of handlers that may run at once. */
  readonly concurrency: number
  readonly weight: (tenant: string) => number
}

interface HandlerLoad {
  waiting: number
  averageMs: number
  /** Of those that wait, how many are each tenant's. */
  readonly tenants: Map<string, number>
}

/**
 * Deliveries that this process holds and has not begun, and who may begin next. Tenants take turns. A slot
 * is one call of a handler under way.
 */
export class LocalQueue {
  readonly #settings: LocalQueueSettings
  readonly #waiting = new Map<string, Held[]>()
  readonly #running = new Map<string, number>()
  readonly #handlers = new Map<string, HandlerLoad>()
  #held = 0
  #slots = 0

  constructor(settings: LocalQueueSettings) {
    this.#settings = settings
  }

  /** Calls under way. */
  get running(): number {
    return this.#slots
  }

  /** Deliveries held and not begun, or about to come. */
  get waiting(): number {
    return this.#held
  }

  /** How many deliveries one claim may bring: what is free now, or more where handlers are fast. */
  get limit(): number {
    const rooms = [...this.#handlers.values()].map((load) => this.#roomOf(load))
    return Math.min(MAX_CLAIM, Math.max(0, this.#settings.concurrency - this.#slots - this.#held, ...rooms))
  }

  /** How many more deliveries of a handler and tenant may be held here. */
  room(handler: string, tenant: string): number {
    const load = this.#load(handler)
    const room = this.#roomOf(load)
    const alpha = ALPHA * this.#settings.weight(tenant)
    // So many that, once they are here, it holds alpha times what is still free.
    const share = Math.ceil((alpha * room - (load.tenants.get(tenant) ?? 0)) / (1 + alpha))
    return Math.max(0, Math.min(room, share))
  }

  /** As `room`, but nothing while more waits here than a claim would bring: so that claims are few and large. */
  refill(handler: string, tenant: string): number {
    const room = this.room(handler, tenant)
    return room < (this.#load(handler).tenants.get(tenant) ?? 0) ? 0 : room
  }

  /** How many more of a handler there is room for, whoever's they are. */
  roomFor(handler: string): number {
    return this.#roomOf(this.#load(handler))
  }

  /** For the free slots, and ahead for a handler that is fast. */
  #roomOf({ waiting, averageMs }: HandlerLoad): number {
    const { concurrency } = this.#settings
    const ahead = Math.min(MAX_AHEAD, Math.floor((concurrency * AHEAD_MS) / averageMs))
    return Math.max(0, concurrency - this.#slots + ahead - waiting)
  }

  /** Keeps room for a delivery that will come, or not. */
  reserve(handler: string, tenant: string): void {
    this.#count(handler, tenant, 1)
  }

  /** Gives such room back. */
  unreserve(handler: string, tenant: string): void {
    this.#count(handler, tenant, -1)
  }

  /** A delivery for which room was kept has come. */
  push(held: Held): void {
    const { tenant } = held.delivery
    const queue = this.#waiting.get(tenant)
    if (queue) queue.push(held)
    else this.#waiting.set(tenant, [held])
  }

  /**
   * The delivery that begins next, with others of its handler that go into the same call; undefined when no
   * slot is free or nothing may begin. Takes the slot.
   *
   * @param batchSize how many of the handler go into one call.
   */
  next(batchSize: (held: Held) => number): readonly [Held, ...Held[]] | undefined {
    const free = this.#settings.concurrency - this.#slots
    if (free <= 0) return undefined
    for (const [tenant, queue] of this.#waiting) {
      if (!this.#mayBegin(tenant, free)) continue
      const first = queue.shift()
      if (!first) continue
      const batch = [first, ...this.#companions(queue, first, batchSize(first))] as const
      // To the end of the line.
      this.#waiting.delete(tenant)
      if (queue.length > 0) this.#waiting.set(tenant, queue)
      this.#begin(tenant, first.delivery.handler, batch.length)
      return batch
    }
    return undefined
  }

  /** A call ended: its slot is free. */
  finish(tenant: string, handler: string, durationMs: number): void {
    this.#slots -= 1
    const left = (this.#running.get(tenant) ?? 1) - 1
    if (left > 0) this.#running.set(tenant, left)
    else this.#running.delete(tenant)
    const load = this.#load(handler)
    load.averageMs += SMOOTHING * (Math.max(durationMs, 0.01) - load.averageMs)
  }

  /**
   * Takes out a delivery that is to be begun elsewhere.
   *
   * @returns whether it was here and had not begun.
   */
  drop(held: Held): boolean {
    const { tenant, handler } = held.delivery
    const queue = this.#waiting.get(tenant)
    const at = queue?.indexOf(held) ?? -1
    if (!queue || at < 0) return false
    queue.splice(at, 1)
    if (queue.length === 0) this.#waiting.delete(tenant)
    this.unreserve(handler, tenant)
    return true
  }

  /** Takes out everything that has not begun. */
  clear(): readonly Held[] {
    const left = [...this.#waiting.values()].flat()
    for (const { delivery } of left) this.unreserve(delivery.handler, delivery.tenant)
    this.#waiting.clear()
    return left
  }

  #mayBegin(tenant: string, free: number): boolean {
    return (this.#running.get(tenant) ?? 0) < ALPHA * this.#settings.weight(tenant) * free
  }

  /** Others of the same handler on their first attempt; one that failed before runs alone, so that it spoils no other. */
  #companions(queue: Held[], first: Held, size: number): readonly Held[] {
    if (size <= 1 || first.delivery.attempt > 1) return []
    const companions: Held[] = []
    for (let at = 0; at < queue.length && companions.length < size - 1;) {
      const { handler, attempt } = queue[at]?.delivery ?? first.delivery
      if (handler === first.delivery.handler && attempt === 1) companions.push(...queue.splice(at, 1))
      else at += 1
    }
    return companions
  }

  #begin(tenant: string, handler: string, deliveries: number): void {
    this.#slots += 1
    this.#count(handler, tenant, -deliveries)
    this.#running.set(tenant, (this.#running.get(tenant) ?? 0) + 1)
  }

  #count(handler: string, tenant: string, more: number): void {
    this.#held += more
    const load = this.#load(handler)
    load.waiting += more
    const own = (load.tenants.get(tenant) ?? 0) + more
    if (own > 0) load.tenants.set(tenant, own)
    else load.tenants.delete(tenant)
  }

  #load(handler: string): HandlerLoad {
    const known = this.#handlers.get(handler)
    if (known) return known
    const load: HandlerLoad = { waiting: 0, averageMs: FIRST_GUESS_MS, tenants: new Map() }
    this.#handlers.set(handler, load)
    return load
  }
}
