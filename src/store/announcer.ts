import { announce, type Announcement, type News } from "./announcements.ts"
import type { Queryable } from "./database.ts"
import type { WakingLane } from "./deliveries.ts"

/** How long lanes gather before one statement tells them all, milliseconds. */
const GATHER_MS = 2
/** How often news are told while they keep coming, milliseconds. */
const NEWS_MS = 50
/** Ids of one tenant that are kept for the next news; beyond it only that there was more. */
const MAX_IDS = 500
/** Tenants in the news at once; beyond it all that is told is that much happened. */
const MAX_TENANTS = 200

interface Pending {
  readonly stored: Set<string>
  readonly delivered: Set<string>
}

/** What the announcer works with. */
export interface AnnouncerDeps {
  readonly database: Queryable
  /** Names this process. */
  readonly origin: string
  /** Is told at once what this process announces. */
  readonly onOwn: (announcement: Announcement) => void
  /** Called when announcing failed; nothing is lost then, since listeners also poll. */
  readonly onError: (error: unknown) => void
}

/**
 * Announces what this process commits, gathered and after the commit: a NOTIFY inside the transaction would
 * take a lock on the whole database at each commit. Lanes go out at once, for somebody may wait for work;
 * news, which people look at, go out 20 times a second at most.
 */
export class Announcer {
  readonly #deps: AnnouncerDeps
  #lanes = new Map<string, WakingLane>()
  #news = new Map<string, Pending>()
  #flags: Omit<Announcement, "news" | "lanes"> = {}
  #timer: NodeJS.Timeout | undefined
  #dueAt = Number.POSITIVE_INFINITY
  #newsAt = Number.NEGATIVE_INFINITY
  #flushing: Promise<void> | undefined

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps
  }

  /** Names this process in announcements. */
  get origin(): string {
    return this.#deps.origin
  }

  /** Deliveries were put into lanes, and nobody holds them. */
  enqueued(given: readonly WakingLane[]): void {
    // Nothing else that a caller's objects hold goes out.
    const lanes = given.map(({ handler, tenant, priority, dueInMs }) => ({
      handler,
      tenant,
      priority,
      ...(dueInMs !== undefined && { dueInMs }),
    }))
    this.#deps.onOwn({ news: [], lanes })
    for (const lane of lanes)
      this.#lanes.set(`${lane.handler} ${lane.tenant} ${lane.priority} ${lane.dueInMs ?? 0}`, lane)
    this.#schedule(GATHER_MS)
  }

  /** A signal was stored. */
  stored(tenant: string, signalId: string): void {
    add(this.#of(tenant).stored, signalId)
    this.#scheduleNews()
  }

  /** A delivery of a signal was claimed or settled. */
  delivered(tenant: string, signalId: string): void {
    add(this.#of(tenant).delivered, signalId)
    this.#scheduleNews()
  }

  /** Something other than signals and deliveries changed. */
  changed(flags: Omit<Announcement, "news" | "lanes">): void {
    this.#deps.onOwn({ news: [], lanes: [], ...flags })
    this.#flags = { ...this.#flags, ...flags }
    this.#schedule(GATHER_MS)
  }

  /** Resolves when all that was announced so far has been told. */
  async flushed(): Promise<void> {
    while (this.#timer || this.#flushing) {
      this.#newsAt = Number.NEGATIVE_INFINITY
      if (!this.#flushing) this.#flush()
      await this.#flushing
    }
  }

  #of(tenant: string): Pending {
    const known = this.#news.get(tenant)
    if (known) return known
    const pending: Pending = { stored: new Set(), delivered: new Set() }
    this.#news.set(tenant, pending)
    return pending
  }

  #scheduleNews(): void {
    this.#schedule(Math.max(GATHER_MS, this.#newsAt + NEWS_MS - performance.now()))
  }

  /** One timer, for whatever is due first. */
  #schedule(ms: number): void {
    const dueAt = performance.now() + ms
    if (dueAt >= this.#dueAt) return
    clearTimeout(this.#timer)
    this.#dueAt = dueAt
    this.#timer = setTimeout(() => this.#flush(), ms)
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dueAt = Number.POSITIVE_INFINITY
    this.#flushing ??= this.#tell().finally(() => {
      this.#flushing = undefined
      if (this.#lanes.size > 0 || Object.keys(this.#flags).length > 0) this.#schedule(GATHER_MS)
      if (this.#news.size > 0) this.#scheduleNews()
    })
  }

  async #tell(): Promise<void> {
    const lanes = [...this.#lanes.values()]
    const flags = this.#flags
    this.#lanes = new Map()
    this.#flags = {}
    const news = this.#takeNews()
    if (lanes.length === 0 && news.length === 0 && Object.keys(flags).length === 0) return
    if (news.length > 0) this.#deps.onOwn({ news, lanes: [] })
    const { database, origin, onError } = this.#deps
    await announce(database, origin, { news, lanes, ...flags }).catch(onError)
  }

  #takeNews(): readonly News[] {
    if (this.#news.size === 0 || performance.now() < this.#newsAt + NEWS_MS) return []
    this.#newsAt = performance.now()
    const pending = this.#news
    this.#news = new Map()
    if (pending.size > MAX_TENANTS) return [{ tenant: "*", stored: [], delivered: [], isMore: true }]
    return [...pending].map(toNews)
  }
}

function add(ids: Set<string>, id: string): void {
  if (ids.size <= MAX_IDS) ids.add(id)
}

function toNews([tenant, { stored, delivered }]: [string, Pending]): News {
  if (stored.size + delivered.size > MAX_IDS) return { tenant, stored: [], delivered: [], isMore: true }
  return { tenant, stored: [...stored], delivered: [...delivered] }
}
