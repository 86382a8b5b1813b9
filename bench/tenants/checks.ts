import type { Pool } from "pg"
import { TICK } from "./emitting.ts"

/** Schemas read in one statement. */
const AT_ONCE = 50

/** How many ticks each tenant has stored. */
export async function storedTicks(pool: Pool, slugs: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (let at = 0; at < slugs.length; at += AT_ONCE) {
    const some = slugs.slice(at, at + AT_ONCE)
    const text = some.map(
      (slug) => `select '${slug}' as slug, count(*)::int as count from org_${slug}.signals where type = '${TICK}'`,
    )
    const { rows } = await pool.query<{ slug: string; count: number }>(text.join(" union all "))
    for (const { slug, count } of rows) counts.set(slug, count)
  }
  return counts
}

/** How many signals are missing, and how many are there that nobody was told of. */
export interface Difference {
  readonly lost: number
  readonly unexpected: number
}

/** Compares what was acknowledged with what is stored. */
export function compare(acknowledged: ReadonlyMap<string, number>, stored: ReadonlyMap<string, number>): Difference {
  let lost = 0
  let unexpected = 0
  for (const [slug, count] of stored) {
    const difference = (acknowledged.get(slug) ?? 0) - count
    if (difference > 0) lost += difference
    else unexpected -= difference
  }
  return { lost, unexpected }
}

/** A sum over a tenant's signals that does not depend on their order, of what is kept when they are moved. */
export async function signalSum(pool: Pool, schema: string, tenant: string): Promise<{ count: number; sum: string }> {
  const { rows } = await pool.query<{ count: number; sum: string }>(
    `select count(*)::int as count, coalesce(sum(('x' || substr(md5(
       id::text || type || source || data::text || metadata::text || occurred_at::text || coalesce(dedupe_key, '')), 1, 15))::bit(60)::bigint), 0)::text as sum
     from ${schema}.signals where tenant = $1`,
    [tenant],
  )
  // An aggregate answers with one row.
  return rows[0] as { count: number; sum: string }
}
