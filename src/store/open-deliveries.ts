import type { Visibility } from "../signal/stored-signal.ts"
import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** A delivery that is to be done. */
export interface OpenDelivery {
  readonly signalId: string
  readonly handler: string
  /** Type of the signal. */
  readonly type: string
  /** retrying: failed or given back, to be tried again. */
  readonly status: "waiting" | "running" | "retrying"
  /** How often it was tried. */
  readonly attempts: number
  readonly priority: number
  /** When it is due, RFC 3339, as is the next. */
  readonly runAt: string
  readonly enqueuedAt: string
}

/** Which open deliveries; null asks for nothing. */
export interface OpenDeliveryFilter {
  readonly handler: string | null
  /** Behind this one, by signal and handler. */
  readonly after: Pick<OpenDelivery, "signalId" | "handler"> | null
  readonly limit: number
  /** What the reader may see. */
  readonly visibilities: readonly Visibility[]
}

const TIME = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`

/** A tenant's open deliveries, by the age of their signals. */
export async function selectOpenDeliveries(
  tx: Queryable,
  scope: TenantScope,
  { handler, after, limit, visibilities }: OpenDeliveryFilter,
): Promise<readonly OpenDelivery[]> {
  return tx.query<OpenDelivery>(
    `/* selectOpenDeliveries */ select delivery.signal_id as "signalId", delivery.handler, signal.type,
       case when leased_until > now() then 'running' when attempt > 0 then 'retrying' else 'waiting' end as status,
       attempt as attempts, priority, to_char(run_at at time zone 'UTC', ${TIME}) as "runAt",
       to_char(enqueued_at at time zone 'UTC', ${TIME}) as "enqueuedAt"
     from fleetprompt.deliveries as delivery
     join ${scope.schema}.signals as signal on signal.tenant = delivery.tenant and signal.id = delivery.signal_id
     where delivery.tenant = $1 and ($2::text is null or delivery.handler = $2::text)
       and ($3::text is null or (delivery.signal_id, delivery.handler) > ($3::text::uuid, $4::text))
       and signal.visibility in (select json_array_elements_text($5::text::json))
     order by delivery.signal_id, delivery.handler limit $6`,
    [scope.slug, handler, after?.signalId ?? null, after?.handler ?? null, JSON.stringify(visibilities), limit],
  )
}
