import { createFleet, type Fleet } from "../../src/fleet.ts"
import type { Database } from "../../src/store/database.ts"
import { openServerDatabase } from "../../src/store/server-database.ts"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { percentile } from "../durable/statistics.ts"

/** How long a revoked key still works in another process. */
export interface RevocationFigures {
  readonly announced: boolean
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

const TIMES = 40

/** Revokes keys in one fleet while two others check them all the time: one that hears it, and one that hears nothing. */
export async function measureRevocations(
  fleet: Fleet,
  hearing: Fleet,
  url: string,
): Promise<readonly RevocationFigures[]> {
  const open = await openServerDatabase({ connectionString: url })
  const whole = interceptDatabase(open, ({ run }) => run())
  const database: Database = { ...whole, hears: false, listen: async () => async () => {} }
  const secret = new Uint8Array(32).fill(7)
  const deaf = createFleet({
    database,
    worker: false,
    retention: false,
    apiKeys: { environment: "bench", peppers: [{ id: "bench", secret }] },
  })
  await deaf.start()
  const figures = [await revoke(fleet, hearing, true), await revoke(fleet, deaf, false)]
  await deaf.stop()
  return figures
}

async function revoke(fleet: Fleet, other: Fleet, announced: boolean): Promise<RevocationFigures> {
  const { apiKeys } = fleet.tenant("bench_keys")
  const owner = { kind: "host", id: "bench" } as const
  const times: number[] = []
  for (let n = 0; n < TIMES; n++) {
    const oldest = (await apiKeys.list({ limit: 1 }))[0]
    if (oldest) await apiKeys.revoke(oldest.id)
    const { key, record } = await apiKeys.create({ name: "short", role: "member", owner })
    if (!(await other.apiKeys.check(key))) throw new Error("a key that works was refused")
    // At any moment between two looks.
    await new Promise((resolve) => setTimeout(resolve, (n * 37) % 500))
    await apiKeys.revoke(record.id)
    const revokedAt = performance.now()
    while (await other.apiKeys.check(key)) await new Promise(setImmediate)
    times.push(performance.now() - revokedAt)
  }
  return {
    announced,
    p50Ms: Math.round(percentile(times, 0.5) ?? 0),
    p99Ms: Math.round(percentile(times, 0.99) ?? 0),
    maxMs: Math.round(Math.max(...times)),
  }
}
