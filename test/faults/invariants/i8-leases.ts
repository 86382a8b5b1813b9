import { until } from "../wait.ts"
import type { Evidence, Invariant } from "./evidence.ts"

interface ExpiredRow {
  readonly delivery: string
  readonly token: string
  readonly by: string
  readonly sinceMs: number
}

/** Paused work and unknown handlers are nobody's to take over. */
function expired({ product, handlers }: Evidence): Promise<readonly ExpiredRow[]> {
  return product.query<ExpiredRow>(
    `select signal_id || ' ' || handler || ' of ' || tenant as delivery, lease_token::text as token, leased_by as by,
       (extract(epoch from now() - leased_until) * 1000)::int as "sinceMs"
     from fleetprompt.deliveries as delivery
     where leased_by is not null and leased_until <= now()
       and handler in (select json_array_elements_text($1::json))
       and not exists (select 1 from fleetprompt.pauses as pause
         where pause.tenant in ('*', delivery.tenant) and pause.handler in ('*', delivery.handler))`,
    [JSON.stringify(handlers.map(({ name }) => name))],
  )
}

/** I8: nothing stays with an expired lease for more than two sweeps: those that are expired now are not any more after a lease and two polls. */
export const noStaleLease: Invariant = { needs: [], find: leftExpired }

async function leftExpired(evidence: Evidence): Promise<readonly string[]> {
  const sweepsMs = evidence.leaseMs + 2 * evidence.pollMs
  let left = await expired(evidence)
  const look = async (): Promise<boolean> => {
    const tokens = new Set((await expired(evidence)).map(({ delivery, token }) => `${delivery} ${token}`))
    left = left.filter(({ delivery, token }) => tokens.has(`${delivery} ${token}`))
    return left.length === 0
  }
  await until(look, { withinMs: sweepsMs, what: "expired leases are taken over" }).catch(() => {})
  return left.map(
    ({ delivery, by, sinceMs }) =>
      `${delivery} is still held by ${by}, whose lease had ended ${sinceMs} ms before and was left for ${sweepsMs} ms more`,
  )
}
