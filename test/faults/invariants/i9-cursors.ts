import { compilePattern } from "../../../src/signal/pattern.ts"
import { until } from "../wait.ts"
import { type Evidence, foundIn, type Invariant } from "./evidence.ts"

interface Subscriber {
  readonly name: string
  readonly tenant: string
  readonly pattern: string | null
}

/** I9: subscribers see every committed row in order: no gap, no regress, nothing twice. */
export const nothingMissed: Invariant = {
  needs: ["signals"],
  find: async (evidence) => {
    const subscribers = await evidence.ledger.query<Subscriber>(
      "select name, tenant, pattern from subscribers where tenant in (select slug from evidence.tenants) order by name",
    )
    const violations: string[] = []
    for (const subscriber of subscribers) violations.push(...(await judge(evidence, subscriber)))
    return violations
  },
}

async function judge(evidence: Evidence, subscriber: Subscriber): Promise<readonly string[]> {
  const { name, tenant } = subscriber
  const types = await typesFor(evidence, subscriber)
  let found: readonly string[] = []
  const isRight = async (): Promise<boolean> => {
    found = [
      ...(await foundIn(evidence, UNSEEN, [name, tenant, types])),
      ...(await foundIn(evidence, OUT_OF_ORDER, [name, tenant, types])),
    ]
    return found.length === 0
  }
  await until(isRight, { withinMs: evidence.catchUpMs, everyMs: 100, what: "subscribers catch up" }).catch(() => {})
  return found
}

async function typesFor({ ledger }: Evidence, { tenant, pattern }: Subscriber): Promise<readonly string[]> {
  const { matches } = compilePattern(pattern ?? "**")
  const rows = await ledger.query<{ type: string }>("select distinct type from evidence.signals where tenant = $1", [
    tenant,
  ])
  return rows.map(({ type }) => type).filter((type) => matches(type))
}

/** $1: the subscriber's name, $2: its tenant, $3: the types that it follows. */
const EXPECTED = `
  with expected as (
    select id as signal_id, row_number() over (order by tx_id, position) as place
    from evidence.signals where tenant = $2 and type = any($3::text[])
  ), sightings as (select signal_id, n from seen where subscriber = $1)`

const UNSEEN = `${EXPECTED}
  select format('subscriber %s never saw signal %s of %s', $1::text, signal_id, $2::text) as violation
  from (select signal_id, min(place) as place from expected left join sightings using (signal_id)
    where sightings.n is null group by signal_id) as missing
  order by place`

/** What was committed after the copy was made comes after all of it. */
const OUT_OF_ORDER = `${EXPECTED}, placed as (
    select signal_id, place, n, max(place) over (order by n rows between unbounded preceding and 1 preceding) as before
    from sightings join expected using (signal_id)
  )
  select format('subscriber %s saw signal %s of %s %s', $1::text, signal_id, $2::text,
    case when place = before then 'twice' else 'after a later one' end) as violation
  from placed where place <= before order by n`
