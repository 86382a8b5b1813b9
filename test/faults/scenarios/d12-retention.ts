import { setTimeout as passed } from "node:timers/promises"
import type { Fleet } from "../../../src/fleet.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { errorText } from "../ledger/recorded-emit.ts"
import { percentile } from "../percentile.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

const BATCH = 1_000
/** The 99th percentile of emits may be so many times as large while retention is at work, and this much in any case. */
const MOST_TIMES = 2
/** In the seconds of a short run a percentile is a matter of chance; an emit that waits for a batch is slower than this too. */
const SLACK_MS = { short: 400, long: 20 }
const OLD = { type: "lead.received", options: { source: "crm" } }

/** D12: retention removes what is old while signals are emitted, and late duplicates of what it removes come all the time. */
export const scenario = defineScenario({
  id: "D12",
  title: "retention under load",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  alone: true,
  limitMs: { short: 120_000, long: 3_600_000 },
  run: async (stage) => {
    const rows = stage.sized(10_000, 1_000_000)
    const database = await stage.postgres({ settings: { checkpoint_timeout: "1h", max_wal_size: "8GB" } })
    const fleet = await stage.fleet({ database })
    await fleet.tenants.provision("acme")
    await fillWithOld(database, rows)
    const worker = await stage.worker({ database, events: ["retention.batch", "delivery.settled"] })
    const emitter = await stage.worker({ database, fleet: { worker: false }, events: ["signal.emitted"] })
    const load = { tenants: ["acme"], callers: 8, perSecond: stage.sized(150, 300), keyed: 0.5, duplicates: 0.1 }
    await emitter.tell("startLoad", load)
    await passed(1_000)
    const quietMs = await emitP99(emitter, () => passed(stage.sized(4_000, 60_000)))
    const startedAt = performance.now()
    let probes = 0
    const busyMs = await emitP99(emitter, async () => {
      const over = askForRetention(stage, fleet, worker)
      probes = await duplicatesUntil(fleet, rows, over)
      await over
    })
    const retentionMs = Math.round(performance.now() - startedAt)
    await emitter.tell("stopLoad")
    await fleet.drain()
    const batches = worker.events.filter(({ name }) => name === "retention.batch").map(({ fields }) => fields)
    await expectBatches(database, batches, rows)
    await duplicateInAndAfterWindow(database, fleet, rows)
    if (busyMs > MOST_TIMES * quietMs + SLACK_MS[stage.scale])
      throw new Error(`emit p99 was ${busyMs} ms beside retention and ${quietMs} ms without`)
    const slowestBatchMs = Math.round(Math.max(...batches.map(({ durationMs }) => Number(durationMs))))
    const figures = {
      rows,
      batches: batches.length,
      slowestBatchMs,
      retentionMs,
      probes,
      quietP99Ms: quietMs,
      busyP99Ms: busyMs,
    }
    return { ...(await stage.check(scenario.invariants)), ...figures }
  },
})

/** Signals of forty days ago, each with its key and an attempt. */
async function fillWithOld({ query }: FaultPostgres, rows: number): Promise<void> {
  await query(
    `insert into org_acme.signals (id, type, source, data, metadata, occurred_at, inserted_at, dedupe_key)
     select id, $2, $3, json_build_object('n', n, 'filler', repeat('x', 200)),
       json_build_object('schema_version', 1, 'correlation_id', id, 'causation_id', null),
       now() - interval '40 days', now() - interval '40 days', 'old-' || n
     from (select n, md5(n::text)::uuid as id from generate_series(0, $1::int - 1) as n) as made`,
    [rows, OLD.type, OLD.options.source],
  )
  await query(
    `insert into org_acme.attempts (signal_id, handler, attempt, outcome, worker, started_at, finished_at)
     select id, 'index.lead', 1, 'done', 'gone', inserted_at, inserted_at from org_acme.signals`,
  )
  await query("analyze org_acme.signals")
}

/** The 99th percentile of what emits took during some work, milliseconds. */
async function emitP99({ events }: FleetProcess, work: () => Promise<unknown>): Promise<number> {
  const from = events.length
  await work()
  const took = events.slice(from).map(({ fields }) => Number(fields["durationMs"]))
  if (took.length < 100) throw new Error(`expected at least 100 emits to measure, got ${took.length}`)
  return Math.round(percentile(took, 0.99) * 10) / 10
}

/** Asks for retention as its schedule does each night. Resolves when it is done. */
async function askForRetention(stage: Stage, fleet: Fleet, { events }: FleetProcess): Promise<void> {
  const { emit } = await stage.recorder(fleet)
  await emit("acme", { type: "fleetprompt.retention.due", data: {} })
  const isDone = (): boolean =>
    events.some(({ fields }) => fields["handler"] === "fleetprompt.retention" && fields["outcome"] === "done")
  await until(isDone, { withinMs: 3_000_000, what: "retention is done" })
}

/** Says old facts again and again, which are known whether they are there or gone. Returns how many. */
async function duplicatesUntil(fleet: Fleet, rows: number, over: Promise<void>): Promise<number> {
  const ended = new AbortController()
  // Whoever waits for it is told when it failed.
  over.catch(() => {}).finally(() => ended.abort())
  let probes = 0
  for (; !ended.signal.aborted; probes++) {
    await expectKnown(fleet, Math.floor(Math.random() * rows))
    await passed(10)
  }
  return probes
}

function emitOld(fleet: Fleet, n: number, filler = "x".repeat(200)) {
  return fleet.tenant("acme").emit(OLD.type, { n, filler }, { ...OLD.options, dedupeKey: `old-${n}` })
}

async function expectKnown(fleet: Fleet, n: number): Promise<void> {
  const { inserted } = await emitOld(fleet, n)
  if (inserted) throw new Error(`old-${n} came back as a new fact`)
}

/** Everything old went in batches, and nothing else. */
async function expectBatches(
  { query }: FaultPostgres,
  batches: readonly { readonly [name: string]: unknown }[],
  rows: number,
): Promise<void> {
  const sizes = batches.map(({ signals }) => Number(signals))
  const removed = sizes.reduce((sum, size) => sum + size, 0)
  if (removed !== rows || Math.max(...sizes) > BATCH)
    throw new Error(
      `expected ${rows} to go in batches of ${BATCH}, got ${removed} in batches of up to ${Math.max(...sizes)}`,
    )
  const left = await query<{ left: string }>(
    `select (select count(*) from org_acme.signals where inserted_at < now() - interval '30 days')
       + (select count(*) from org_acme.attempts where handler = 'index.lead') as left`,
  )
  if (left[0]?.left !== "0") throw new Error(`${left[0]?.left} old rows are left`)
}

/** A key is known for its window, with the id of its fact and against any other; after that it is free. */
async function duplicateInAndAfterWindow({ query }: FaultPostgres, fleet: Fleet, rows: number): Promise<void> {
  for (let n = 0; n < rows; n += Math.ceil(rows / 20)) {
    const { inserted, signal } = await emitOld(fleet, n)
    const [row] = await query<{ id: string; days: string }>(
      `select md5($1)::uuid as id, extract(day from expires_at - now()) as days from org_acme.expired_keys where dedupe_key = $2`,
      [String(n), `old-${n}`],
    )
    if (inserted || signal.id !== row?.id || Number(row.days) !== 29)
      throw new Error(
        `expected old-${n} to be known as ${row?.id} for 30 days, got ${signal.id} for ${row?.days} and more`,
      )
    const other = await emitOld(fleet, n, "another").then(() => "stored", errorText)
    if (!other.startsWith("idempotency_conflict:")) throw new Error(`expected a conflict about old-${n}, got ${other}`)
  }
  await query("update org_acme.expired_keys set expires_at = now() where dedupe_key = 'old-0'")
  const late = await emitOld(fleet, 0)
  if (!late.inserted) throw new Error("expected the key to be free after its window")
  await query("delete from org_acme.signals where id = $1", [late.signal.id])
}
