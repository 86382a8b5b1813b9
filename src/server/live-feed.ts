import { isDeepStrictEqual } from "node:util"
import type { Principal } from "../access/principal.ts"
import type { Fleet } from "../fleet.ts"
import type { SignalView } from "../inspect/signal-list.ts"
import type { CompiledPattern } from "../signal/pattern.ts"
import type { News } from "../store/announcements.ts"
import { LiveChecks } from "./live-checks.ts"
import { LiveStream } from "./live-stream.ts"
import { LiveTopic, type Subscriber } from "./live-topic.ts"

/** Who opens the feed and what for. */
export interface FeedRequest {
  readonly principal: Principal
  /** Finds out again who is calling, now and then while the feed is open. */
  readonly authenticateAgain: () => Promise<Principal | undefined>
  /** Only types that fit; all when undefined. */
  readonly pattern: CompiledPattern | undefined
  /** Id of the last signal that this client saw, when it comes back. */
  readonly lastEventId: string | undefined
}

/** How many events and bytes a client may be behind before it is cut off; it then comes back and resumes. */
const MAX_BEHIND = 256
const MAX_BEHIND_BYTES = 4_194_304
const HEARTBEAT_MS = 15_000
/** How many signals a resume reads; a client that missed more starts anew. */
const RESUME_LIMIT = 500
/**
 * How far before the last seen signal a resume begins, milliseconds: ids are made before the commit, so one
 * that is a little older may have become visible after it. Clients leave out what they have.
 */
const RESUME_OVERLAP_MS = 10_000

/**
 * Tells browsers what is committed, as Server-Sent Events. Whatever the number of clients, one tenant's
 * news is read from the database once for each role.
 */
export class LiveFeed {
  readonly #fleet: Fleet
  readonly #topics = new Map<string, LiveTopic>()
  readonly #checks = new LiveChecks()
  readonly #unsubscribe: () => void
  readonly #unwatch: () => void

  constructor(fleet: Fleet) {
    this.#fleet = fleet
    this.#unsubscribe = fleet.onCommit({
      onCommit: (announcement) => this.#heard(announcement),
      onGap: () => this.#topics.forEach((topic) => topic.reset()),
    })
    // Clients come back at once, and then see what they still may.
    this.#unwatch = fleet.access.onChange(() => this.#endAll())
  }

  /** What the head of the page shows. */
  async summary(tenant: string): Promise<object> {
    const { signals, failed: _, ...deliveries } = await this.#fleet.tenant(tenant).counts()
    return { tenant, database: this.#fleet.databaseKind, signals, deliveries }
  }

  /** A stream of events until the client goes or falls too far behind. */
  open(request: FeedRequest): ReadableStream<Uint8Array> {
    const topic = this.#topicOf(request.principal)
    const stream = new LiveStream({
      maxBehind: MAX_BEHIND,
      maxBehindBytes: MAX_BEHIND_BYTES,
      heartbeatMs: HEARTBEAT_MS,
      onEnd: () => {
        topic.leave(subscriber)
        uncheck()
      },
    })
    const subscriber = subscriberOf(stream, request.pattern)
    const uncheck = this.#checks.add({ mayStay: () => this.#mayStay(request), end: () => stream.end() })
    topic.join(subscriber)
    void this.#resume(request, stream)
    return stream.body
  }

  /** Ends every stream. */
  close(): void {
    this.#unsubscribe()
    this.#unwatch()
    this.#endAll()
  }

  /** A key may be revoked and a role changed while the feed is open; whoever may still read comes back. */
  async #mayStay({ principal, authenticateAgain }: FeedRequest): Promise<boolean> {
    await this.#fleet.access.refresh()
    const now = await authenticateAgain()
    return now !== undefined && isDeepStrictEqual(now, principal) && this.#fleet.access.isAllowed(now, "signals:read")
  }

  #endAll(): void {
    for (const topic of this.#topics.values()) topic.close()
    this.#topics.clear()
  }

  #heard(announcement: News): void {
    for (const topic of this.#topics.values()) if (topic.tenant === announcement.tenant) topic.heard(announcement)
  }

  #topicOf(principal: Principal): LiveTopic {
    const visibilities = this.#fleet.access.visibleTo(principal)
    const key = `${principal.tenant} ${visibilities.join(" ")}`
    const topic =
      this.#topics.get(key) ??
      new LiveTopic(this.#fleet.tenant(principal.tenant), visibilities, {
        summary: () => this.summary(principal.tenant),
        onEmpty: () => this.#topics.delete(key),
      })
    this.#topics.set(key, topic)
    return topic
  }

  async #resume({ principal, pattern, lastEventId }: FeedRequest, stream: LiveStream): Promise<void> {
    if (lastEventId === undefined) return
    try {
      const { signals } = await this.#fleet.tenant(principal.tenant).signals.list({
        limit: RESUME_LIMIT,
        ...(pattern && { pattern: pattern.pattern }),
        visibilities: this.#fleet.access.visibleTo(principal),
      })
      const floor = idAt(timeOf(lastEventId) - RESUME_OVERLAP_MS)
      const missed = signals.filter(({ id }) => id >= floor).toReversed()
      if (missed.length === RESUME_LIMIT) stream.event("reset", {})
      else sendSignals(stream, missed)
    } catch {
      // The database does not answer: the client comes back and asks again.
      stream.end()
    }
  }
}

function subscriberOf(stream: LiveStream, pattern: CompiledPattern | undefined): Subscriber {
  return {
    signals: (views) => sendSignals(stream, pattern ? views.filter(({ type }) => pattern.matches(type)) : views),
    event: (name, data) => stream.event(name, data),
    close: () => stream.end(),
  }
}

function sendSignals(stream: LiveStream, views: readonly SignalView[]): void {
  const last = views.at(-1)
  if (last) stream.event("signals", views, last.id)
}

/** Milliseconds in a UUIDv7. */
function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** The lowest UUIDv7 of a millisecond. */
function idAt(ms: number): string {
  const hex = Math.max(0, ms).toString(16).padStart(12, "0")
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}
