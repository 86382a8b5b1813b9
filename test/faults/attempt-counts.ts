import type { FaultPostgres } from "./fault-postgres.ts"
import type { FleetProcess } from "./processes/fleet-process.ts"

/** Workers by the names that a scenario has for them. */
export type Named = Readonly<Record<string, FleetProcess>>

/**
 * Compares the attempts of a tenant that has a schema of its own with what they should be: each kind once with its
 * number, in the order of number and outcome, such as `20 × 1 done by first`.
 *
 * @throws Error with both
 */
export async function expectAttempts(
  database: Pick<FaultPostgres, "query">,
  tenant: string,
  workers: Named,
  expected: readonly string[],
): Promise<void> {
  const got = await attemptCounts(database, tenant, workers)
  if (got.join("; ") !== expected.join("; "))
    throw new Error(`expected the attempts of ${tenant} to be ${expected.join("; ")}; got ${got.join("; ")}`)
}

async function attemptCounts(
  { query }: Pick<FaultPostgres, "query">,
  tenant: string,
  workers: Named,
): Promise<readonly string[]> {
  const rows = await query<{ count: number; attempt: string; worker: string }>(
    `select count(*)::int as count, attempt || ' ' || outcome as attempt, worker
     from org_${tenant}.attempts group by attempt, outcome, worker order by attempts.attempt, outcome, worker`,
  )
  const names = new Map(Object.entries(workers).map(([name, { workerName }]) => [workerName(), name]))
  return rows.map(({ count, attempt, worker }) => `${count} × ${attempt} by ${names.get(worker) ?? worker}`)
}
