import type { FaultPostgres } from "../fault-postgres.ts"
import type { TenantPlace } from "../invariants/evidence.ts"
import type { Ledger } from "../ledger/ledger.ts"

/** What is younger is left to the next look, since its rows may be under way, milliseconds. */
const MARGIN_MS = 3_000

/**
 * Looks for violations while the soak goes on, at what is new since its last look: what was acknowledged is stored
 * (I1), no effect was applied under two ids (I4), no attempt was begun twice (I7). The whole check comes at the end.
 */
export class Watch {
  /** Found so far. */
  violations = 0
  readonly #ledger: Ledger
  readonly #database: FaultPostgres
  readonly #tenants: readonly TenantPlace[]
  #from = new Date()

  constructor(ledger: Ledger, database: FaultPostgres, tenants: readonly TenantPlace[]) {
    this.#ledger = ledger
    this.#database = database
    this.#tenants = tenants
  }

  /** @throws what the database answers while it is away; the next look then takes in more */
  async look(): Promise<void> {
    const to = new Date(Date.now() - MARGIN_MS)
    const span = [this.#from, to]
    const lost = await this.#lost(span)
    const [row] = await this.#ledger.query<{ count: string }>(SEEN_IN_THE_LEDGER, span)
    this.violations += lost + Number(row?.count)
    this.#from = to
  }

  async #lost(span: readonly Date[]): Promise<number> {
    const acknowledged = await this.#ledger.query<{ tenant: string; ids: readonly string[] }>(
      `select tenant, array_agg(distinct signal_id) as ids from calls
       where outcome = 'ok' and ended_at >= $1 and ended_at < $2 group by tenant`,
      span,
    )
    let count = 0
    for (const { tenant, ids } of acknowledged) {
      const place = this.#tenants.find(({ slug }) => slug === tenant)
      if (!place) continue
      const missing = await this.#database.query(
        `select id from unnest($2::uuid[]) as id
         where not exists (select from ${place.schema}.signals where signals.tenant = $1 and signals.id = id.id)`,
        [tenant, ids],
      )
      count += missing.length
    }
    return count
  }
}

const SEEN_IN_THE_LEDGER = `
  with applied as (
    select count(*) as count from effects as one join effects as other using (tenant, signal_id, handler, replay_id)
    where one.applied_at >= $1 and one.applied_at < $2 and one.delivery_id <> other.delivery_id
  ), begun as (
    select count(*) as count from invocations as one join invocations as other using (tenant, signal_id, handler, attempt)
    where one.begun_at >= $1 and one.begun_at < $2 and one.id <> other.id
      and coalesce(one.outcome, '') not in ('snoozed', 'stopped') and coalesce(other.outcome, '') not in ('snoozed', 'stopped')
  )
  select applied.count + begun.count as count from applied, begun`
