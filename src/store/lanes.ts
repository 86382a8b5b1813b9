import type { Queryable } from "./database.ts"
import type { Lane } from "./deliveries.ts"

/** What a look at the queue found. */
export interface LaneState extends Lane {
  /** Whether something in it may be claimed now. */
  readonly isDue: boolean
  /** For how long the first of those has been due, milliseconds; null when there is none. */
  readonly dueForMs: number | null
  /** Milliseconds until something else in it comes due; null when there is nothing. */
  readonly dueInMs: number | null
}

/**
 * The lanes of some handlers that hold anything, each found by one step along the index: the cost grows
 * with the number of lanes, not with the deliveries in them.
 */
export async function findLanes(tx: Queryable, handlers: readonly string[]): Promise<readonly LaneState[]> {
  return tx.query<LaneState>(
    `/* findLanes */ with recursive lanes as (
       select first.* from json_array_elements_text($1::text::json) as asked (name)
       cross join lateral (
         select handler, tenant, priority from fleetprompt.deliveries
         where handler = asked.name order by handler, tenant, priority limit 1
       ) as first
       union all
       select next.* from lanes cross join lateral (
         select handler, tenant, priority from fleetprompt.deliveries
         where deliveries.handler = lanes.handler and (deliveries.tenant, deliveries.priority) > (lanes.tenant, lanes.priority)
         order by handler, tenant, priority limit 1
       ) as next
     )
     select lanes.handler, lanes.tenant, lanes.priority, first_due.ms is not null as "isDue", first_due.ms as "dueForMs",
       (
         select (extract(epoch from delivery.run_at - now()) * 1000)::float8 from fleetprompt.deliveries as delivery
         where delivery.handler = lanes.handler and delivery.tenant = lanes.tenant and delivery.priority = lanes.priority
           and delivery.run_at > now()
         order by delivery.run_at limit 1
       ) as "dueInMs"
     from lanes left join lateral (
       select (extract(epoch from now() - delivery.run_at) * 1000)::float8 as ms from fleetprompt.deliveries as delivery
       where delivery.handler = lanes.handler and delivery.tenant = lanes.tenant and delivery.priority = lanes.priority
         and delivery.run_at <= now() and (delivery.leased_until is null or delivery.leased_until <= now())
       order by delivery.run_at limit 1
     ) as first_due on true`,
    [JSON.stringify(handlers)],
  )
}

/** Handlers whose names begin with a prefix, by tenants in which something of theirs has been due for so long and nobody holds it. */
export async function selectOverdueLanes(
  tx: Queryable,
  prefix: string,
  dueForMs: number,
): Promise<readonly Pick<Lane, "handler" | "tenant">[]> {
  return tx.query(
    `/* selectOverdueLanes */ select distinct handler, tenant from fleetprompt.deliveries
     where starts_with(handler, $1) and run_at <= now() - $2::float8 * interval '1 millisecond'
       and (leased_until is null or leased_until <= now())
     order by handler, tenant limit 1000`,
    [prefix, dueForMs],
  )
}
