import type { DeliveryView, SignalView } from "../inspect/signal-list.ts"
import type { Visibility } from "../signal/stored-signal.ts"
import type { News } from "../store/announcements.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import type { Tenant } from "../tenants/tenant.ts"

/** One open stream. */
export interface Subscriber {
  readonly signals: (views: readonly SignalView[]) => void
  readonly event: (name: "deliveries" | "summary" | "reset", data: unknown) => void
  readonly close: () => void
}

interface TopicDeps {
  readonly summary: () => Promise<object>
  readonly onEmpty: () => void
}

/** News is gathered this long before it is read, milliseconds. */
const GATHER_MS = 100
/** A summary is told at most this often, milliseconds, and less often when counting takes long. */
const SUMMARY_MS = 1_000
const SUMMARY_SHARE = 20
/** Most signals read at once; beyond it clients are told to fetch the list anew. */
const MAX_NEWS = 1_000

/** One tenant's news for all clients that may see the same. */
export class LiveTopic {
  readonly #tenant: Tenant
  readonly #visibilities: readonly Visibility[]
  readonly #deps: TopicDeps
  readonly #subscribers = new Set<Subscriber>()
  #stored = new Set<string>()
  #delivered = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #summaryTimer: NodeJS.Timeout | undefined
  #nextSummaryAt = 0

  constructor(tenant: Tenant, visibilities: readonly Visibility[], deps: TopicDeps) {
    this.#tenant = tenant
    this.#visibilities = visibilities
    this.#deps = deps
  }

  /** Slug of the tenant. */
  get tenant(): string {
    return this.#tenant.slug
  }

  join(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber)
  }

  leave(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber)
    if (this.#subscribers.size > 0) return
    clearTimeout(this.#timer)
    clearTimeout(this.#summaryTimer)
    this.#deps.onEmpty()
  }

  /** Something was committed. */
  heard({ stored, delivered }: News): void {
    for (const id of stored) this.#stored.add(id)
    for (const id of delivered) this.#delivered.add(id)
    this.#timer ??= setTimeout(() => void this.#tell(), GATHER_MS)
  }

  /** Something may have been missed. */
  reset(): void {
    for (const subscriber of this.#subscribers) subscriber.event("reset", {})
  }

  close(): void {
    // Each leaves the set as it closes, which a Set's iteration allows.
    for (const subscriber of this.#subscribers) subscriber.close()
  }

  async #tell(): Promise<void> {
    const stored = [...this.#stored]
    const delivered = [...this.#delivered].filter((id) => !this.#stored.has(id))
    this.#stored = new Set()
    this.#delivered = new Set()
    try {
      if (stored.length + delivered.length > MAX_NEWS) this.reset()
      else await this.#tellNews(stored, delivered)
      this.#scheduleSummary()
    } catch {
      // The database does not answer; when it does, clients read what they missed.
      this.reset()
    } finally {
      this.#timer = undefined
      if (this.#stored.size + this.#delivered.size > 0) this.#timer = setTimeout(() => void this.#tell(), GATHER_MS)
    }
  }

  async #tellNews(stored: readonly string[], delivered: readonly string[]): Promise<void> {
    const views = await this.#tenant.signals.read([...stored, ...delivered], this.#visibilities)
    const isNew = new Set(stored)
    const fresh = views.filter(({ id }) => isNew.has(id))
    const moved = views
      .filter(({ id }) => !isNew.has(id))
      .map(({ id, deliveries }): Moved => ({ signalId: id, deliveries }))
    for (const subscriber of this.#subscribers) {
      if (fresh.length > 0) subscriber.signals(fresh)
      if (moved.length > 0) subscriber.event("deliveries", moved)
    }
  }

  /** Counting reads whole tables, so it may take only a small share of the time. */
  #scheduleSummary(): void {
    this.#summaryTimer ??= setTimeout(
      () => void this.#tellSummary(),
      Math.max(0, this.#nextSummaryAt - performance.now()),
    )
  }

  async #tellSummary(): Promise<void> {
    const elapsed = stopwatch()
    const summary = await this.#deps.summary().catch(() => undefined)
    this.#nextSummaryAt = performance.now() + Math.max(SUMMARY_MS, SUMMARY_SHARE * elapsed())
    this.#summaryTimer = undefined
    if (summary) for (const subscriber of this.#subscribers) subscriber.event("summary", summary)
  }
}

interface Moved {
  readonly signalId: string
  readonly deliveries: readonly DeliveryView[]
}
