import type { Queryable } from "./database.ts"
import { IS_HELD, placesOf } from "./deliveries.ts"
import { Kinds } from "./kinds.ts"
import type { Settlement } from "./settlements.ts"

/** Attempts that succeeded, of tenants of one schema, and whose they are. */
export interface Completions {
  readonly worker: string
  readonly settlements: readonly Settlement[]
}

/** Attempts that a statement for something else books by the way: one statement and one commit less. */
export interface Along {
  readonly completions: Completions
  /** The statement was committed; in these places were those that it did not book. */
  readonly booked: (unbooked: ReadonlySet<number>) => void
  /** It was not committed, or nobody knows. */
  readonly failed: () => void
}

/** How many parameters `completionPart` reads. */
export const COMPLETION_VALUES = 8

/**
 * Books attempts that succeeded, of tenants of one schema: the deliveries leave the queue and the attempts
 * are noted. Whoever no longer holds the lease books nothing.
 *
 * @returns the places in the list of those that were not booked.
 */
export async function completeDeliveries(
  tx: Queryable,
  schema: string,
  worker: string,
  settlements: readonly Settlement[],
): Promise<ReadonlySet<number>> {
  const rows = await tx.query<{ n: number }>(
    `/* completeDeliveries */ with ${completionPart(schema, 1)} ${SELECT_UNBOOKED}`,
    completionValues({ worker, settlements }),
  )
  return placesOf(rows)
}

/** The places of those that were not booked: nearly always none, and what is not answered costs nothing. */
export const SELECT_UNBOOKED = `select (n - 1)::integer as n from held where (n in (select n from closed)) is not true`

/**
 * The parts of a statement that book completions: `held`, `closed` and `noted`.
 *
 * @param first number of the first of its parameters, which `completionValues` makes.
 */
export function completionPart(schema: string, first: number): string {
  const [ids, tokens, durations, kinds, tenants, handlers, versions, worker] = Array.from(
    { length: COMPLETION_VALUES },
    (_, at) => `$${first + at}`,
  )
  return `held as (
       select n, signal_id, lease_token, duration_ms, (${tenants}::text[])[kind] as tenant,
         (${handlers}::text[])[kind] as handler, (${versions}::integer[])[kind] as version
       from unnest(${ids}::uuid[], ${tokens}::bigint[], ${durations}::float8[], ${kinds}::integer[])
         with ordinality as given (signal_id, lease_token, duration_ms, kind, n)
     ), closed as (
       delete from fleetprompt.deliveries as delivery using held
       where ${IS_HELD}
       returning held.n, delivery.tenant, delivery.signal_id, delivery.handler, delivery.attempt, delivery.replay_id,
         held.version, held.duration_ms
     ), noted as (
       insert into ${schema}.attempts
         (tenant, signal_id, handler, attempt, outcome, worker, version, replay_id, started_at, finished_at)
       select tenant, signal_id, handler, attempt, 'done', ${worker}::text, version, replay_id,
         now() - duration_ms * interval '1 millisecond', now()
       from closed
     )`
}

/**
 * The values for `completionPart`. As arrays they take the server half of the time that JSON takes. Of those that
 * are written as they are, none has a character that an array's text would have to escape: ids and numbers.
 */
export function completionValues({ worker, settlements }: Completions): readonly unknown[] {
  const kinds = new Kinds<Settlement>()
  const places = settlements.map((each) => {
    const { tenant, handler } = each.delivery
    return kinds.placeOf(`${tenant} ${handler} ${each.version}`, each)
  })
  return [
    `{${settlements.map(({ delivery }) => delivery.signalId).join()}}`,
    `{${settlements.map(({ delivery }) => delivery.leaseToken).join()}}`,
    `{${settlements.map(({ durationMs }) => Math.round(durationMs * 1_000) / 1_000).join()}}`,
    `{${places.join()}}`,
    kinds.all.map(({ delivery }) => delivery.tenant),
    kinds.all.map(({ delivery }) => delivery.handler),
    kinds.all.map(({ version }) => version),
    worker,
  ]
}
