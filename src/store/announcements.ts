import type { Queryable } from "./database.ts"
import type { WakingLane } from "./deliveries.ts"

/** The channel on which every process of a fleet hears what was committed. */
export const CHANNEL = "fleetprompt"

/** What was committed for one tenant. Only a hint: it may get lost, and the tables hold the truth. */
export interface News {
  readonly tenant: string
  /** Ids of new signals. */
  readonly stored: readonly string[]
  /** Ids of signals of which a delivery was claimed or settled. */
  readonly delivered: readonly string[]
  /** There was more than is named: whoever shows the tenant's signals reads them anew. */
  readonly isMore?: boolean
}

/** Everything that one process tells the others at once. */
export interface Announcement {
  readonly news: readonly News[]
  /** Lanes into which deliveries were put. */
  readonly lanes: readonly WakingLane[]
  /** Someone paused or resumed something. */
  readonly pauses?: boolean
  /** A replay was started, paused, resumed or cancelled. */
  readonly replays?: boolean
  /** A schedule was paused or resumed. */
  readonly schedules?: boolean
  /** What an API key or a member may has changed. */
  readonly access?: boolean
  /** What tenants' packages have the platform run has changed. */
  readonly bindings?: boolean
  /** A tenant was suspended, resumed, moved or given another class, or something is to be done to one. */
  readonly tenants?: boolean
}

/** An announcement, and the process that made it. */
export interface HeardAnnouncement extends Announcement {
  readonly origin: string
}

/** A notification of Postgres holds less than 8,000 bytes. */
const MAX_BYTES = 7_500
/** Ids of one tenant that are named at once, of each kind. */
const MAX_IDS = 80

/**
 * Tells every listening process, once the statement's transaction commits.
 *
 * @param origin names the process, which is not to hear itself.
 */
export async function announce(tx: Queryable, origin: string, announcement: Announcement): Promise<void> {
  await tx.query(
    `/* announce */ select pg_notify($1, payload) from json_array_elements_text($2::text::json) as payload`,
    [CHANNEL, JSON.stringify(payloads(origin, announcement))],
  )
}

function payloads(origin: string, { news, lanes, ...flags }: Announcement): readonly string[] {
  const parts = [
    ...pack(lanes).map((some) => ({ lanes: some })),
    ...pack(news.flatMap(split)).map((some) => ({ news: some })),
    ...(Object.keys(flags).length > 0 ? [flags] : []),
  ]
  return parts.map((part) => JSON.stringify({ origin, ...part }))
}

/** Divides a tenant's news so that each part fits into a notification. */
function split(news: News): readonly News[] {
  const { tenant, stored, delivered } = news
  if (stored.length <= MAX_IDS && delivered.length <= MAX_IDS) return [news]
  const parts: News[] = []
  for (let at = 0; at < Math.max(stored.length, delivered.length); at += MAX_IDS) {
    parts.push({ tenant, stored: stored.slice(at, at + MAX_IDS), delivered: delivered.slice(at, at + MAX_IDS) })
  }
  return parts
}

/** Puts as many items into each part as fit. */
function pack<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  const parts: Item[][] = []
  let bytes = MAX_BYTES
  for (const item of items) {
    const size = JSON.stringify(item).length + 1
    bytes += size
    if (bytes > MAX_BYTES - 200) {
      parts.push([])
      bytes = size
    }
    parts.at(-1)?.push(item)
  }
  return parts
}

/** Reads a notification; undefined when it is none of ours. */
export function parseAnnouncement(payload: string): HeardAnnouncement | undefined {
  try {
    // Only `announce` writes on the channel; whatever else might is caught by the checks below.
    const value = JSON.parse(payload) as Partial<HeardAnnouncement> | null
    if (typeof value?.origin !== "string") return undefined
    const { news = [], lanes = [] } = value
    if (!Array.isArray(news) || !Array.isArray(lanes)) return undefined
    if (!news.every(isNews) || !lanes.every(isLane)) return undefined
    return { ...value, origin: value.origin, news, lanes }
  } catch {
    return undefined
  }
}

function isNews(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !("stored" in value) || !("delivered" in value)) return false
  return (
    "tenant" in value &&
    typeof value.tenant === "string" &&
    Array.isArray(value.stored) &&
    Array.isArray(value.delivered)
  )
}

function isLane(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !("handler" in value) || !("tenant" in value)) return false
  return "priority" in value && typeof value.priority === "number" && typeof value.tenant === "string"
}
