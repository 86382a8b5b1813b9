import type { Queryable } from "./database.ts"

/** The channel on which every process of a fleet hears what was committed. */
export const CHANNEL = "fleetprompt"

/** What was committed for one tenant. Only a hint: it may get lost, and the tables hold the truth. */
export interface Announcement {
  readonly tenant: string
  /** Ids of new signals. */
  readonly stored: readonly string[]
  /** Ids of signals of which a delivery was claimed or settled. */
  readonly delivered: readonly string[]
}

/** A notification of Postgres holds less than 8,000 bytes; an id with quotes and comma is 39. */
const MAX_IDS = 180

/** Tells every listening process, once the statement's transaction commits. */
export async function announce(tx: Queryable, announcements: readonly Announcement[]): Promise<void> {
  const payloads = announcements.flatMap(split).map((announcement) => JSON.stringify(announcement))
  await tx.query(`select pg_notify($1, payload) from json_array_elements_text($2::text::json) as payload`, [
    CHANNEL,
    JSON.stringify(payloads),
  ])
}

function split({ tenant, stored, delivered }: Announcement): readonly Announcement[] {
  const parts: Announcement[] = []
  for (let at = 0; at < Math.max(stored.length, delivered.length); at += MAX_IDS / 2) {
    const end = at + MAX_IDS / 2
    parts.push({ tenant, stored: stored.slice(at, end), delivered: delivered.slice(at, end) })
  }
  return parts
}

/** Reads a notification; undefined when it is none of ours. */
export function parseAnnouncement(payload: string): Announcement | undefined {
  try {
    // Only `announce` writes on the channel; whatever else might is caught by the checks below.
    const value = JSON.parse(payload) as Partial<Announcement> | null
    if (typeof value?.tenant !== "string" || !Array.isArray(value.stored) || !Array.isArray(value.delivered))
      return undefined
    return { tenant: value.tenant, stored: value.stored, delivered: value.delivered }
  } catch {
    return undefined
  }
}
