import type { FleetStats } from "./fleet-stats.ts"
import type { Instruments } from "./instruments.ts"
import { stopwatch } from "./stopwatch.ts"

/** How gauges are read. */
export interface GaugeSettings {
  /** How old they may get before a scrape reads them anew, milliseconds; 0: each scrape does. */
  readonly everyMs: number
  /** How long a scrape waits for them, milliseconds. */
  readonly timeoutMs: number
}

/** A read may take this share of the time, so that a long queue is counted less often. */
const MAX_SHARE = 1 / 20

/** Gauges that are read from the fleet when somebody asks for them. */
export class StatsGauges {
  readonly #to: Instruments
  readonly #read: () => Promise<FleetStats>
  readonly #settings: GaugeSettings
  readonly #handlers = new Set<string>()
  #reading: Promise<void> | undefined
  #freshUntil = Number.NEGATIVE_INFINITY

  constructor(to: Instruments, read: () => Promise<FleetStats>, settings: GaugeSettings) {
    this.#to = to
    this.#read = read
    this.#settings = settings
    this.#clear()
  }

  /** There is a handler of this name: its queue has lines from now on, even while it is empty. */
  know(handler: string): void {
    this.#handlers.add(handler)
  }

  /** Reads them when they are too old. Never rejects: what cannot be read in time is left out, and counted. */
  async refresh(): Promise<void> {
    if (performance.now() < this.#freshUntil) return
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined
    })
    try {
      await withinTime(this.#reading, this.#settings.timeoutMs)
    } catch {
      this.#to.stats_failures_total.inc()
      this.#clear()
    }
  }

  async #readNow(): Promise<void> {
    const elapsed = stopwatch()
    const stats = await this.#read()
    const { everyMs } = this.#settings
    this.#freshUntil = performance.now() + (everyMs === 0 ? 0 : Math.max(everyMs, elapsed() / MAX_SHARE))
    this.#clear()
    this.#setQueue(stats)
    this.#setDatabase(stats)
  }

  /** Handlers stay once they are known, so that an empty queue is a line at zero and no gap. */
  #setQueue({ queue }: FleetStats): void {
    for (const { handler } of queue) this.know(handler)
    for (const handler of this.#handlers) {
      const found = queue.find((it) => it.handler === handler)
      this.#to.queue_depth.set({ handler, state: "due" }, found?.due ?? 0)
      this.#to.queue_depth.set({ handler, state: "scheduled" }, found?.scheduled ?? 0)
      this.#to.queue_depth.set({ handler, state: "running" }, found?.running ?? 0)
      this.#to.queue_oldest_age_seconds.set({ handler }, (found?.oldestDueAgeMs ?? 0) / 1000)
    }
  }

  #setDatabase({ pool, oldestSnapshot }: FleetStats): void {
    this.#to.pool_connections.set({ state: "in_use" }, pool.total - pool.idle)
    this.#to.pool_connections.set({ state: "idle" }, pool.idle)
    this.#to.pool_waiting.set(pool.waiting)
    if (!oldestSnapshot) return
    this.#to.oldest_snapshot_age_seconds.set(oldestSnapshot.ageMs / 1000)
    this.#to.oldest_snapshot_transactions.set(oldestSnapshot.transactions)
  }

  /** Rather none than old ones. */
  #clear(): void {
    const to = this.#to
    for (const gauge of [to.queue_depth, to.queue_oldest_age_seconds, to.pool_connections]) gauge.reset()
    // To reset one without labels is to set it to 0.
    const plain = [to.pool_waiting, to.oldest_snapshot_age_seconds, to.oldest_snapshot_transactions]
    for (const gauge of plain) gauge.remove()
  }
}

async function withinTime(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the read took too long")), ms)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
