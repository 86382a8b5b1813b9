import { setTimeout as passed } from "node:timers/promises"
import { Client } from "pg"
import type { Fleet } from "../../../src/fleet.ts"
import { hasPgBouncer, startPgBouncer } from "../../../test/support/pgbouncer.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import type { FleetProcess, FleetProcessOptions } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** How long a delivery may wait for a worker that was not told of it, milliseconds; its poll comes each second. */
const DEAF_MS = 5_000
/** A poll that comes too late to help. */
const NO_POLL = { worker: { pollMs: 60_000 } }
/** Whoever commits waits for a standby that there is not, unless the session says `local`, as all of ours do. */
const settings = { synchronous_standby_names: "nobody", synchronous_commit: "local" }

/** D5: notifications get lost without a word; PgBouncer passes none on; their lock is not to be had. */
export const scenario = defineScenario({
  id: "D5",
  title: "NOTIFY lost; PgBouncer in transaction mode",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"],
  run: async (stage) => {
    const database = await stage.postgres({ settings })
    const pooled = await pgBouncer(stage, database)
    const fleet = await stage.fleet({ database })
    for (const slug of ["acme", "one"]) await fleet.tenants.provision(slug)
    const latencies = await handledOneByOne(stage, fleet, { database, pooled })
    const load = { tenants: ["acme"], callers: 16, perSecond: stage.sized(150, 400), keyed: 0.5, duplicates: 0.1 }
    const emitter = await stage.emitter({ database, load, watchStatements: true })
    const pooledEmitter = await stage.emitter({ database: pooled, load })
    await Promise.all([stage.worker({ database: pooled }), stage.worker({ database })])
    await stage.tail(await stage.fleet({ database: pooled }), { name: "deaf", tenant: "acme" })
    const underLock = await holdNotifyLock(stage, database, [emitter, pooledEmitter])
    const { ok } = await emitter.tell("stopLoad")
    await pooledEmitter.tell("stopLoad")
    const announcements = (await emitter.tell("statements")).filter((name) => name === "announce").length
    if (announcements > ok / 2) throw new Error(`expected commits to be told together, got ${announcements} for ${ok}`)
    await fleet.drain()
    return { ...(await stage.check(scenario.invariants)), ...latencies, underLock, announcements, announced: ok }
  },
})

async function pgBouncer(stage: Stage, { url }: FaultPostgres): Promise<{ readonly url: string }> {
  if (!hasPgBouncer())
    throw new Error("expected PgBouncer at /usr/sbin/pgbouncer; install the Debian package pgbouncer")
  const bouncer = await startPgBouncer(url, 10)
  stage.cleanup("PgBouncer", bouncer.stop)
  return bouncer
}

/** How long work waits with each way to hear of it, or none. */
async function handledOneByOne(
  stage: Stage,
  fleet: Fleet,
  { database, pooled }: { readonly database: FaultPostgres; readonly pooled: { readonly url: string } },
) {
  const ears = await stage.proxy(database)
  const waited = (options: FleetProcessOptions, lose?: () => void) => longestWait(stage, fleet, options, lose)
  return {
    // The first two would find it too late by their poll: they must have heard of it.
    heardMs: await waited({ database, fleet: NO_POLL }),
    heardBesideMs: await waited({ database: pooled, fleet: { ...NO_POLL, listenUrl: database.url } }),
    deafMs: await waited({ database: pooled }),
    lostMs: await waited({ database, fleet: { listenUrl: ears.url } }, ears.swallow),
  }
}

/** Has a worker handle some signals that come singly from elsewhere. Answers how long the last to be begun had waited. */
async function longestWait(
  stage: Stage,
  fleet: Fleet,
  options: FleetProcessOptions,
  lose: () => void = () => {},
): Promise<number> {
  const worker = await stage.worker(options)
  lose()
  const [{ emit }, ledger] = [await stage.recorder(fleet), await stage.ledger()]
  const waits: number[] = []
  for (let n = 0; n < stage.sized(4, 40); n++) {
    const { signal } = await emit("one", { type: "order.created", data: { n } })
    const answeredAt = performance.now()
    await until(async () => (await ledger.count("effects", `signal_id = '${signal.id}'`)) > 0, {
      withinMs: DEAF_MS,
      everyMs: 10,
      what: `work is done by a worker with ${JSON.stringify(options.fleet ?? {})}`,
    })
    waits.push(Math.round(performance.now() - answeredAt))
  }
  await worker.stop()
  return Math.max(...waits)
}

/** Somebody's commit with a NOTIFY does not come to its end: what needs the same lock waits for as long. Answers how many signals were stored meanwhile. */
async function holdNotifyLock(
  stage: Stage,
  database: FaultPostgres,
  emitters: readonly FleetProcess[],
): Promise<number> {
  await database.query("create table public.scratch (n integer)")
  const holder = new Client({ connectionString: database.url, application_name: "holder" })
  stage.cleanup("the holder of the lock", () => holder.end())
  await holder.connect()
  await holder.query("set synchronous_commit = on")
  const held = holder.query("begin; insert into public.scratch values (1); notify elsewhere; commit")
  await until(() => isNotifyLockHeld(database), { withinMs: 10_000, what: "the lock of NOTIFY is held" })
  const before = await stored(emitters)
  await passed(stage.sized(2_000, 8_000))
  const meanwhile = (await stored(emitters)) - before
  if (!(await isNotifyLockHeld(database))) throw new Error("expected the lock of NOTIFY to be held all the time")
  await database.query("select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'holder'")
  await held
  if (meanwhile < 50) throw new Error(`expected emits to go on without the lock of NOTIFY, got ${meanwhile}`)
  return meanwhile
}

async function isNotifyLockHeld({ query }: FaultPostgres): Promise<boolean> {
  const rows = await query(
    `select 1 from pg_locks where locktype = 'object' and classid = 'pg_database'::regclass and objid = 0
     and mode = 'AccessExclusiveLock' and granted`,
  )
  return rows.length > 0
}

async function stored(emitters: readonly FleetProcess[]): Promise<number> {
  const counts = await Promise.all(emitters.map((each) => each.tell("loadCounts")))
  return counts.reduce((sum, { ok }) => sum + ok, 0)
}
