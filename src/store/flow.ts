import type { Queryable } from "./database.ts"
import type { ClaimedDelivery } from "./deliveries.ts"

/** A claim takes a few milliseconds; who has the lock for longer was cut off or stands still, milliseconds. */
const LOCK_WAIT_MS = 1_000

/**
 * Lets one process at a time claim for a limited handler, until the transaction ends. The statements after
 * it see what the one before committed.
 *
 * @throws what Postgres answers, `55P03`, when the lock is not to be had within a second: other lanes shall not wait
 */
export async function lockFlow(tx: Queryable, handler: string, tenant: string): Promise<void> {
  await tx.query(
    `/* lockFlow */ select pg_advisory_xact_lock(hashtextextended($1, 5138))
     from set_config('lock_timeout', '${LOCK_WAIT_MS}', true)`,
    [`${handler} ${tenant}`],
  )
}

/** How many deliveries of a handler run: in all, and of one tenant. */
export interface SlotCount {
  readonly global: number
  readonly tenant: number
}

/** Counts what runs, and removes the rows of what does not run any more. */
export async function countSlots(tx: Queryable, handler: string, tenant: string): Promise<SlotCount> {
  const [row] = await tx.query<SlotCount>(
    `/* countSlots */ with live as (
       select slots.ctid as at, slots.tenant, exists (
         select 1 from fleetprompt.deliveries as delivery
         where delivery.signal_id = slots.signal_id and delivery.handler || '' = slots.handler
           and delivery.tenant || '' = slots.tenant and delivery.lease_token = slots.lease_token
           and delivery.leased_until > now()
       ) as is_held
       from fleetprompt.slots where slots.handler = $1
     ), removed as (
       delete from fleetprompt.slots using live where slots.ctid = live.at and not live.is_held
     )
     select count(*) filter (where is_held)::integer as global,
       count(*) filter (where is_held and tenant = $2)::integer as tenant from live`,
    [handler, tenant],
  )
  return row ?? { global: 0, tenant: 0 }
}

/** A rate limit's key: of a tenant, of one of its keys, or of all (`*`). */
export interface SpendKey {
  readonly handler: string
  readonly tenant: string
  readonly flowKey: string
}

/** What a limit has let through within its period, and when the oldest of that will not count any more. */
export interface Spent {
  readonly count: number
  readonly freeInMs: number | null
}

/** Reads what a limit let through, and removes what is older than its period. */
export async function selectSpent(
  tx: Queryable,
  { handler, tenant, flowKey }: SpendKey,
  perMs: number,
): Promise<Spent> {
  const [row] = await tx.query<Spent>(
    `/* selectSpent */ with removed as (
       delete from fleetprompt.rate_spends
       where handler = $1 and tenant = $2 and flow_key = $3 and spent_at <= now() - $4::float8 * interval '1 millisecond'
     )
     select coalesce(sum(count), 0)::integer as count,
       (extract(epoch from min(spent_at) - now()) * 1000 + $4::float8)::float8 as "freeInMs"
     from fleetprompt.rate_spends
     where handler = $1 and tenant = $2 and flow_key = $3 and spent_at > now() - $4::float8 * interval '1 millisecond'`,
    [handler, tenant, flowKey, perMs],
  )
  return row ?? { count: 0, freeInMs: null }
}

/**
 * Removes what does not count any more for the keys of a tenant, and tells when the next will not.
 *
 * @returns milliseconds, or null when nothing counts.
 */
export async function nextKeyFreeInMs(
  tx: Queryable,
  handler: string,
  tenant: string,
  perMs: number,
): Promise<number | null> {
  const [row] = await tx.query<{ freeInMs: number | null }>(
    `/* nextKeyFreeInMs */ with removed as (
       delete from fleetprompt.rate_spends
       where handler = $1 and tenant = $2 and spent_at <= now() - $3::float8 * interval '1 millisecond'
     )
     select (extract(epoch from min(spent_at) - now()) * 1000 + $3::float8)::float8 as "freeInMs"
     from fleetprompt.rate_spends
     where handler = $1 and tenant = $2 and spent_at > now() - $3::float8 * interval '1 millisecond'`,
    [handler, tenant, perMs],
  )
  return row?.freeInMs ?? null
}

/** Deliveries in one step of `giveFlowKeys`. */
const KEYS_AT_ONCE = 1_000

/**
 * Gives the empty key to some deliveries of handlers that go by keys and have none.
 *
 * @returns whether there may be more.
 */
export async function giveFlowKeys(tx: Queryable, handlers: readonly string[]): Promise<boolean> {
  const rows = await tx.query(
    `/* giveFlowKeys */ update fleetprompt.deliveries as delivery set flow_key = ''
     from (
       select found.ctid as at from fleetprompt.deliveries as found
       where found.flow_key is null and found.handler in (select json_array_elements_text($1::text::json))
       limit ${KEYS_AT_ONCE} for update skip locked
     ) as keyless
     where delivery.ctid = keyless.at returning 1 as one`,
    [JSON.stringify(handlers)],
  )
  return rows.length === KEYS_AT_ONCE
}

/** Notes what a limit lets through now. */
export async function insertSpends(
  tx: Queryable,
  spends: readonly (SpendKey & { readonly count: number })[],
): Promise<void> {
  await tx.query(
    `/* insertSpends */ insert into fleetprompt.rate_spends (handler, tenant, flow_key, count)
     select handler, tenant, "flowKey", count from json_to_recordset($1::text::json) as spend
       (handler text, tenant text, "flowKey" text, count integer)`,
    [JSON.stringify(spends)],
  )
}

/** Notes that claimed deliveries take slots. */
export async function insertSlots(tx: Queryable, deliveries: readonly ClaimedDelivery[]): Promise<void> {
  await tx.query(
    `/* insertSlots */ insert into fleetprompt.slots (signal_id, handler, tenant, flow_key, lease_token)
     select "signalId", handler, tenant, "flowKey", "leaseToken" from json_to_recordset($1::text::json) as slot
       ("signalId" uuid, handler text, tenant text, "flowKey" text, "leaseToken" bigint)
     on conflict (handler, tenant, signal_id) do update set lease_token = excluded.lease_token`,
    [
      JSON.stringify(
        deliveries.map(({ signalId, handler, tenant, flowKey, leaseToken }) => ({
          signalId,
          handler,
          tenant,
          flowKey,
          leaseToken,
        })),
      ),
    ],
  )
}
