import { prometheusMetrics } from "../../../src/telemetry/prometheus.ts"
import type { Fleet } from "../../../src/fleet.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { openForeignSession } from "../foreign-session.ts"
import { percentile } from "../percentile.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** Claims may take so many times as long beside the snapshot, at most. */
const MOST_TIMES = 5
/** What two runs of the same may differ by anyway, milliseconds; in the seconds of a short run a percentile is a matter of chance. */
const SLACK_MS = { short: 100, long: 5 }
/** Deliveries that are made and taken out again by plain SQL in the short scale, for the work of the minutes that it leaves out. */
const DONE_BEFORE = 300_000

/** D11: somebody leaves a transaction open, so that nothing that is done can be cleared out of the queue. */
export const scenario = defineScenario({
  id: "D11",
  title: "a foreign snapshot held open",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  alone: true,
  limitMs: { short: 180_000, long: 1_800_000 },
  run: async (stage) => {
    const database = await stage.postgres({ settings: { max_wal_size: "4GB" } })
    const fleet = await stage.fleet({ database })
    await fleet.tenants.provision("acme")
    const worker = await stage.worker({ database, events: ["delivery.claimed"] })
    const emitter = await stage.worker({ database, fleet: { worker: false } })
    const signals = stage.sized(1_000, 10_000)
    await work(stage, emitter, signals)
    const before = await claimsOf(worker, () => work(stage, emitter, signals))
    const foreign = await openForeignSession(stage, database)
    await foreign.query("begin isolation level repeatable read; select count(*) from fleetprompt.tenants")
    const heldAt = performance.now()
    if (stage.scale === "short") await doMuch(database)
    else await worksFor(600_000, emitter)
    await seesAgeOf(fleet, performance.now() - heldAt)
    const beside = await claimsOf(worker, () => work(stage, emitter, signals))
    await foreign.query("commit")
    await fleet.drain()
    const figures = await stage.check(scenario.invariants)
    compare(stage, "median", before.medianMs, beside.medianMs)
    compare(stage, "99th percentile", before.p99Ms, beside.p99Ms)
    return {
      ...figures,
      heldMs: Math.round(performance.now() - heldAt),
      claimP50Ms: before.medianMs,
      claimP50BesideMs: beside.medianMs,
      claimP99Ms: before.p99Ms,
      claimP99BesideMs: beside.p99Ms,
    }
  },
})

/** So many signals that another process emits are handled. */
async function work(stage: Stage, emitter: FleetProcess, signals: number): Promise<void> {
  const ledger = await stage.ledger()
  const before = await ledger.count("effects")
  await emitter.tell("startLoad", { tenants: ["acme"], callers: 16, perSecond: 400, count: signals })
  const areHandled = async (): Promise<boolean> => (await ledger.count("effects")) >= before + signals
  await until(areHandled, { withinMs: 120_000, what: `${signals} signals are handled`, everyMs: 100 })
}

async function worksFor(ms: number, emitter: FleetProcess): Promise<void> {
  await emitter.tell("startLoad", { tenants: ["acme"], callers: 16, perSecond: 400 })
  const endAt = performance.now() + ms
  await until(() => performance.now() >= endAt, { withinMs: ms + 10_000, what: "the time passes", everyMs: 1_000 })
  await emitter.tell("stopLoad")
}

/** Leaves what many done deliveries leave, and lets a moment pass in which the fleet can take notice. */
async function doMuch({ query }: FaultPostgres): Promise<void> {
  await query(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler, leased_by, leased_until)
     select 'acme', gen_random_uuid(), 'ledger.write', 'gone', now() + interval '1 hour' from generate_series(1, $1::int)`,
    [DONE_BEFORE],
  )
  await query("delete from fleetprompt.deliveries where leased_by = 'gone'")
  await query("select pg_sleep(5)")
}

/** The metric that alerts go by tells how old the snapshot is. */
async function seesAgeOf(fleet: Fleet, heldMs: number): Promise<void> {
  const metrics = prometheusMetrics(fleet)
  const text = await metrics.text()
  metrics.close()
  const [, value] = /^fleetprompt_oldest_snapshot_age_seconds (\S+)$/m.exec(text) ?? []
  if (Number(value) * 1_000 < heldMs - 100)
    throw new Error(`expected the oldest snapshot to be told as ${Math.round(heldMs)} ms old, got ${value} s`)
}

interface Claims {
  readonly medianMs: number
  readonly p99Ms: number
}

/** How long a worker's claims took during some work. */
async function claimsOf({ events }: FleetProcess, during: () => Promise<void>): Promise<Claims> {
  const from = events.length
  await during()
  const took = events.slice(from).map(({ fields }) => Number(fields["durationMs"]))
  if (took.length < 10) throw new Error(`expected at least 10 claims to measure, got ${took.length}`)
  const at = (share: number): number => Math.round(percentile(took, share) * 10) / 10
  return { medianMs: at(0.5), p99Ms: at(0.99) }
}

function compare({ scale }: Stage, what: string, beforeMs: number, besideMs: number): void {
  if (besideMs <= MOST_TIMES * beforeMs + SLACK_MS[scale]) return
  throw new Error(`the ${what} of claims was ${besideMs} ms beside the snapshot and ${beforeMs} ms before`)
}
