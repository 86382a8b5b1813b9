import type { Pool } from "pg"
import type { Fleet } from "../../src/fleetprompt.ts"
import { signalSum } from "./checks.ts"
import { tell, tellProgress } from "./progress.ts"
import { type Times, timesOf } from "./provisioning.ts"

/** What came of moving tenants to the shared schema, and back. */
export interface Moved {
  readonly tenants: number
  readonly signals: number
  /** Of each move, from the request to its end. */
  readonly times: Times
  /** Moves that did not complete. */
  readonly failed: number
  /** Moves after which the count or the sum of the signals was another. */
  readonly unequal: number
  /** Sums of all signals of all moved tenants, before and after. */
  readonly checksums: readonly [before: string, after: string]
}

const BATCH = 1_000

/** Gives tenants so many signals each, moves them one after the other, and compares. */
export async function moveAll(fleet: Fleet, pool: Pool, slugs: readonly string[], signals: number): Promise<Moved> {
  for (const slug of slugs) await fill(fleet, slug, signals)
  const durations: number[] = []
  const before = await sumAll(pool, slugs, (slug) => `org_${slug}`)
  let failed = 0
  let unequal = 0
  const startedAt = performance.now()
  for (const placement of ["shared", "own"] as const) {
    for (const slug of slugs) {
      const beganAt = performance.now()
      const { id } = await fleet.tenants.move(slug, { placement, keepMs: 0, reason: "benchmark" })
      const { status, error } = await fleet.operations.wait(id)
      durations.push(performance.now() - beganAt)
      if (status !== "completed") tell(`the move of ${slug} ended as ${status}: ${JSON.stringify(error)}`)
      failed += status === "completed" ? 0 : 1
      tellProgress("moved", durations.length, 2 * slugs.length, performance.now() - startedAt)
    }
    const there = await sumAll(pool, slugs, (slug) => (placement === "shared" ? "fleetprompt_shared" : `org_${slug}`))
    unequal += slugs.filter((slug) => there.get(slug) !== before.get(slug)).length
  }
  const after = await sumAll(pool, slugs, (slug) => `org_${slug}`)
  const times = timesOf(durations, performance.now() - startedAt)
  return { tenants: slugs.length, signals, times, failed, unequal, checksums: [total(before), total(after)] }
}

async function fill(fleet: Fleet, slug: string, signals: number): Promise<void> {
  for (let at = 0; at < signals; at += BATCH) {
    const items = Array.from({ length: Math.min(BATCH, signals - at) }, (_, n) => ({
      type: "bench.filled",
      data: { n: at + n, text: "x".repeat(100) },
    }))
    await fleet.tenant(slug).emitMany(items)
  }
}

async function sumAll(
  pool: Pool,
  slugs: readonly string[],
  schemaOf: (slug: string) => string,
): Promise<ReadonlyMap<string, string>> {
  const sums = new Map<string, string>()
  for (const slug of slugs) {
    const { count, sum } = await signalSum(pool, schemaOf(slug), slug)
    sums.set(slug, `${count}:${sum}`)
  }
  return sums
}

/** One number for all. */
function total(sums: ReadonlyMap<string, string>): string {
  const all = [...sums.values()].map((each) => BigInt(each.split(":")[1] ?? 0))
  return all.reduce((sum, each) => sum + each, 0n).toString(16)
}
