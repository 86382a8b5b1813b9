import type { Queryable } from "./database.ts"
import { CLAIM, CLAIMED_COLUMNS, type ClaimedDelivery, type ClaimRequest } from "./deliveries.ts"

/** One handler's deliveries of one tenant, of all priorities. */
export interface FlowLane {
  readonly handler: string
  readonly tenant: string
  readonly version: number
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
        and ($13::text is null or flow_key <= $13::text)
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
