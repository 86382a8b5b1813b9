import type { Fleet } from "../../../src/fleet.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { defineScenario } from "../scenario.ts"
import { until } from "../wait.ts"
import { forgetClocks, movableClock } from "../wrong-clock.ts"

const TENANTS = ["jumping", "steady"] as const

/**
 * T2: two processes emit, and one of them runs the handlers of both. Its clock goes back by an hour and is right again
 * later, so that of the other's signals the effects seem to come before their causes.
 */
export const scenario = defineScenario({
  id: "T2",
  title: "clock back 1 h while emitting",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I9"],
  run: async (stage) => {
    const count = stage.sized(60, 1_000)
    forgetClocks(stage)
    const database = await stage.postgres()
    const handlers = { set: "chain" }
    const fleet = await stage.fleet({ database, handlers })
    for (const slug of TENANTS) {
      await fleet.tenants.provision(slug)
      await stage.tail(fleet, { name: `tail of ${slug}`, tenant: slug })
    }
    const clock = await movableClock(stage)
    const jumping = await stage.worker({ database, handlers, env: clock.variables })
    const load = { callers: 1, perSecond: stage.sized(60, 40), keyed: 0.5, duplicates: 0.1 }
    const steady = await stage.emitter({ database, handlers, load: { ...load, tenants: ["steady"] } })
    await jumping.tell("startLoad", { ...load, tenants: ["jumping"] })
    for (const [offset, hours] of [
      ["+0", 0],
      ["-1h", 1],
      ["+0", 0],
    ] as const) {
      await clock.set(offset)
      await emitted(database, count, hours)
    }
    for (const each of [jumping, steady]) await each.tell("stopLoad")
    await fleet.drain()
    const figures = await stage.check(scenario.invariants)
    const ledger = await stage.ledger()
    for (const tenant of TENANTS) {
      await expectRisingIds(ledger, tenant)
      await expectCauses(fleet, database, tenant)
      await expectWholeList(fleet, database, tenant)
    }
    const effectsWithLowerId = await lowerIds(database)
    if (effectsWithLowerId === 0) throw new Error("expected some effects with lower ids than their causes, got none")
    return { ...figures, effectsWithLowerId }
  },
})

/** So many signals more of the process whose clock is so many hours late. */
async function emitted({ query }: FaultPostgres, count: number, hours: number): Promise<void> {
  const [before] = await query<{ position: string }>(
    "select coalesce(max(position), 0) as position from org_jumping.signals",
  )
  await until(
    async () => {
      const [row] = await query<{ count: number }>(
        `select count(*)::int as count from org_jumping.signals where position > $1 and type = 'order.created'
           and round(extract(epoch from inserted_at - occurred_at) / 3600) = $2`,
        [before?.position, hours],
      )
      return (row?.count ?? 0) >= count
    },
    { withinMs: 30_000 + count * 200, what: `${count} signals with a clock that is ${hours} h late`, everyMs: 200 },
  )
}

/** One caller emitted them one after the other, so each id is higher than the one before. */
async function expectRisingIds(ledger: Ledger, tenant: string): Promise<void> {
  const rows = await ledger.query<{ id: string }>(
    "select signal_id as id from calls where tenant = $1 and inserted order by begun_at",
    [tenant],
  )
  const ids = rows.map(({ id }) => id)
  const at = ids.findIndex((id, index) => index > 0 && id <= (ids[index - 1] ?? ""))
  if (at > 0) throw new Error(`expected ids that rise, got ${ids[at]} of ${tenant} after ${ids[at - 1]}`)
}

/** Every effect is committed after its cause, knows its first cause, and shows its ancestors from the first cause on. */
async function expectCauses(fleet: Fleet, { query }: FaultPostgres, tenant: string): Promise<void> {
  const chains = await query<{ root: string; middle: string; last: string; isInOrder: boolean }>(
    `select first.id as root, second.id as middle, third.id as last,
       (first.tx_id, first.position) < (second.tx_id, second.position)
         and (second.tx_id, second.position) < (third.tx_id, third.position)
         and third.metadata ->> 'correlation_id' = first.id::text as "isInOrder"
     from org_${tenant}.signals as third
     left join org_${tenant}.signals as second on second.id::text = third.metadata ->> 'causation_id'
     left join org_${tenant}.signals as first on first.id::text = second.metadata ->> 'causation_id'
     where third.type = 'step.two'`,
  )
  const [orders] = await query<{ count: number }>(
    `select count(*)::int as count from org_${tenant}.signals where type = 'order.created'`,
  )
  if (chains.length !== orders?.count)
    throw new Error(`expected ${orders?.count} chains of ${tenant}, got ${chains.length}`)
  const bad = chains.find(({ isInOrder }) => !isInOrder)
  if (bad) throw new Error(`expected ${bad.last} of ${tenant} to come after its causes, in their correlation`)
  const sample = chains.filter((_, at) => at % Math.ceil(chains.length / 50) === 0)
  for (const { root, middle, last } of sample) {
    const detail = await fleet.tenant(tenant).signals.get(last, ["internal"])
    const ancestors = detail?.ancestors.map(({ id }) => id).join(", ")
    if (ancestors !== `${root}, ${middle}`)
      throw new Error(`expected the ancestors of ${last} to be ${root}, ${middle}, got ${ancestors}`)
  }
}

/** The list by pages shows each signal once. */
async function expectWholeList(fleet: Fleet, { query }: FaultPostgres, tenant: string): Promise<void> {
  const [stored] = await query<{ count: number }>(`select count(*)::int as count from org_${tenant}.signals`)
  const seen = new Set<string>()
  let rows = 0
  for (let before: string | undefined | null; before !== null;) {
    const page = await fleet
      .tenant(tenant)
      .signals.list({ limit: 200, visibilities: ["internal"], ...(before && { before }) })
    for (const { id } of page.signals) seen.add(id)
    rows += page.signals.length
    before = page.next
  }
  if (rows !== stored?.count || seen.size !== rows)
    throw new Error(
      `expected the list of ${tenant} to show ${stored?.count} signals once, got ${rows} rows, ${seen.size} signals`,
    )
}

/** Effects that were made by a later clock than their cause: what orders by ids or times has them the wrong way round. */
async function lowerIds({ query }: FaultPostgres): Promise<number> {
  const counts = TENANTS.map(async (tenant) => {
    const [row] = await query<{ count: number }>(
      `select count(*)::int as count from org_${tenant}.effects where effect_id < cause_id`,
    )
    return row?.count ?? 0
  })
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}
