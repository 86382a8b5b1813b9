import type { Queryable } from "./database.ts"
import { CLAIM, CLAIMED_COLUMNS, type ClaimedDelivery, type ClaimRequest } from "./deliveries.ts"

/** One handler's deliveries of one tenant, of all priorities. */
export interface FlowLane {
  readonly handler: string
  readonly tenant: string
  readonly version: number
}

/**
 * Lets one process at a time claim for a limited handler, until the transaction ends. The statements after
 * it see what the one before committed.
 */
export async function lockFlow(tx: Queryable, handler: string, tenant: string): Promise<void> {
  await tx.query(`/* lockFlow */ select pg_advisory_xact_lock(hashtextextended($1, 5138))`, [`${handler} ${tenant}`])
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
       select some.ctid as at from fleetprompt.deliveries as some
       where some.flow_key is null and some.handler in (select json_array_elements_text($1::text::json))
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

/** What a claim by key may take. */
export interface KeyLimits {
  /** In all. */
  readonly take: number
  /** Running at once for each key; null for no limit. */
  readonly perKey: number | null
  /** Begun for each key within `perMs`; null for no limit. */
  readonly rateLimit: number | null
  readonly perMs: number
  /** first: only the key's first delivery in the queue, and only when it is due; last: only its last one; any: all. */
  readonly which: "first" | "last" | "any"
  /** With `last`: it is taken when it waited so long, */
  readonly quietMs: number
  /** or when the key's first one waits so long; null for never. */
  readonly maxWaitMs: number | null
}

/**
 * Takes due deliveries of one handler and tenant key by key, each found by one step along the index, so that
 * a key with a long line holds up no other. Begins after the key where the last claim ended, and goes round.
 * The caller holds the lock of `lockFlow`.
 *
 * @param after keys after this one come first; empty for the start.
 */
export async function claimByKey(
  tx: Queryable,
  request: ClaimRequest,
  lane: FlowLane,
  limits: KeyLimits,
  after: string,
): Promise<readonly ClaimedDelivery[]> {
  const behind = await claimKeys(tx, request, lane, limits, { after, upTo: null })
  if (behind.length >= limits.take || after === "") return behind
  const rest = { ...limits, take: limits.take - behind.length }
  return [...behind, ...(await claimKeys(tx, request, lane, rest, { after: "", upTo: after }))]
}

/** Which keys: after one, up to another. The empty key is the first of all. */
interface KeyRange {
  readonly after: string
  readonly upTo: string | null
}

async function claimKeys(
  tx: Queryable,
  { worker, leaseMs }: ClaimRequest,
  { handler, tenant, version }: FlowLane,
  { take, perKey, rateLimit, perMs, which, quietMs, maxWaitMs }: KeyLimits,
  { after, upTo }: KeyRange,
): Promise<readonly ClaimedDelivery[]> {
  return tx.query<ClaimedDelivery>(CLAIM_BY_KEY, [
    worker,
    leaseMs,
    handler,
    tenant,
    version,
    take,
    perKey,
    rateLimit,
    perMs,
    which,
    maxWaitMs,
    after,
    upTo,
    quietMs,
  ])
}

/** A row of the key that the claim looks at. */
function ofKey(alias: string): string {
  return `${alias}.handler = $3::text and ${alias}.tenant = $4::text and ${alias}.flow_key = keys.flow_key`
}

const CLAIM_BY_KEY = `/* claimByKey */ with recursive keys as (
     (select flow_key from fleetprompt.deliveries
      where handler = $3::text and tenant = $4::text and (flow_key > $12::text or ($12::text = '' and flow_key = ''))
      order by flow_key limit 1)
     union all
     select next.flow_key from keys cross join lateral (
       select flow_key from fleetprompt.deliveries
       where handler = $3::text and tenant = $4::text and flow_key > keys.flow_key
         and ($13::text is null or flow_key <= $13::text)
       order by flow_key limit 1
     ) as next
   ), due as (
     select picked.at, picked.lost_by from keys cross join lateral (
       select delivery.ctid as at, delivery.leased_by as lost_by from fleetprompt.deliveries as delivery
       where ${ofKey("delivery")} and delivery.version <= $5::integer
         and (delivery.leased_until is null or delivery.leased_until <= now())
         and (delivery.run_at <= now() or ($10::text = 'last' and delivery.attempt = 0))
         and ($10::text <> 'last' or delivery.enqueued_at <= now() - $14::float8 * interval '1 millisecond' or (
           select first.enqueued_at from fleetprompt.deliveries as first where ${ofKey("first")} order by first.position limit 1
         ) <= now() - $11::float8 * interval '1 millisecond')
         and ($10::text <> 'first' or delivery.position = (
           select first.position from fleetprompt.deliveries as first where ${ofKey("first")} order by first.position limit 1))
         and ($10::text <> 'last' or delivery.position = (
           select last.position from fleetprompt.deliveries as last where ${ofKey("last")} order by last.position desc limit 1))
       order by delivery.position
       limit greatest(0, least(
         case when $7::integer is null then $6::integer else $7::integer - (
           select count(*) from fleetprompt.slots where ${ofKey("slots")})::integer end,
         case when $8::integer is null then $6::integer else $8::integer - (
           select coalesce(sum(count), 0) from fleetprompt.rate_spends as spend
           where ${ofKey("spend")} and spend.spent_at > now() - $9::float8 * interval '1 millisecond')::integer end))
     ) as picked
     limit $6::integer
   )
   update fleetprompt.deliveries as delivery set ${CLAIM}
   from due where delivery.ctid = due.at and (delivery.leased_until is null or delivery.leased_until <= now())
   returning ${CLAIMED_COLUMNS}, due.lost_by as "lostBy"`

/**
 * Closes, as cancelled, deliveries of a key that came before another one and that nobody holds.
 *
 * @returns how many.
 */
export async function supersede(
  tx: Queryable,
  schema: string,
  worker: string,
  latest: readonly ClaimedDelivery[],
): Promise<void> {
  await tx.query(
    `/* supersede */ with closed as (
       delete from fleetprompt.deliveries as delivery
       using json_to_recordset($1::text::json) as latest ("signalId" uuid, handler text, tenant text, "flowKey" text)
       where delivery.handler = latest.handler and delivery.tenant = latest.tenant and delivery.flow_key = latest."flowKey"
         and delivery.signal_id <> latest."signalId" and (delivery.leased_until is null or delivery.leased_until <= now())
         and delivery.position < (
           select kept.position from fleetprompt.deliveries as kept
           where kept.signal_id = latest."signalId" and kept.handler || '' = latest.handler and kept.tenant || '' = latest.tenant)
       returning delivery.*, latest."signalId" as by_signal
     )
     insert into ${schema}.attempts
       (tenant, signal_id, handler, attempt, outcome, worker, version, replay_id, started_at, finished_at, error)
     select tenant, signal_id, handler, attempt, 'cancelled', $2::text, version, replay_id, now(), now(),
       jsonb_build_object('name', 'Superseded', 'message', 'signal ' || by_signal || ' came after it and runs instead')
     from closed`,
    [
      JSON.stringify(latest.map(({ signalId, handler, tenant, flowKey }) => ({ signalId, handler, tenant, flowKey }))),
      worker,
    ],
  )
}
