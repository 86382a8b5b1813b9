import { errorTable } from "../../../src/errors.ts"
import type { Fleet } from "../../../src/fleet.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { errorText } from "../ledger/recorded-emit.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { recovery, slowest } from "../recovery.ts"
import { defineScenario } from "../scenario.ts"
import { mountSmallDisk, type SmallDisk } from "../small-disk.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

const DISK_MB = 220
/** What is left when the disk is full: less than a page for each table. */
const LEFT_BYTES = 128 * 1024
/** Some files of the log are made beforehand, so that tables are the first to find no room. */
const SETTINGS = { min_wal_size: "64MB", max_wal_size: "4GB", checkpoint_timeout: "1h" }
/** Failures that each process tells while nothing can be stored: more would be a hot loop. */
const MOST_FAILURES_A_SECOND = 50
const PLACEMENTS = { beta: "own", gamma: "shared" } as const

/** D8: the disk is full, first for the tables, then for the log as well, which ends the server. */
export const scenario = defineScenario({
  id: "D8",
  title: "disk full",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"],
  run: async (stage) => {
    const disk = await mountSmallDisk(stage, DISK_MB)
    const database = await stage.postgres({ directory: disk.directory, settings: SETTINGS })
    const fleet = await stage.fleet({ database })
    for (const slug of ["acme", "probe"]) await fleet.tenants.provision(slug)
    const load = { tenants: ["acme"], callers: 8, perSecond: 100, keyed: 0.5, dataBytes: 1_000 }
    const worker = await stage.worker({ database })
    const emitter = await stage.emitter({ database, load })
    // These are handed over to the worker of their process with the commit.
    await worker.tell("startLoad", load)
    await stage.tail(fleet, { name: "tail", tenant: "acme" })
    const processes = [worker, emitter]
    const recoveries = []
    let failuresASecond = 0
    for (let round = 0; round < stage.sized(1, 5); round++) {
      await until(() => areStoring(processes), { withinMs: 20_000, what: "both processes have signals stored" })
      failuresASecond = Math.max(failuresASecond, await fillTables({ stage, database, disk, fleet, processes }))
      await disk.free()
      recoveries.push(await recovery(stage, { fleet, processes, tenant: "probe" }))
      await fillLog(database, disk)
      await disk.free()
      await startAgain(database)
      recoveries.push(await recovery(stage, { fleet, processes, tenant: "probe" }))
    }
    if (!processes.every((each) => each.isRunning())) throw new Error("a process of the fleet has ended")
    for (const each of processes) await each.tell("stopLoad")
    await completeTenants(stage, fleet)
    await fleet.drain()
    const refused = await refusedCalls(stage)
    return { ...(await stage.check(scenario.invariants)), refused, failuresASecond, ...slowest(recoveries) }
  },
})

async function areStoring(processes: readonly FleetProcess[]): Promise<boolean> {
  const counts = await Promise.all(processes.map((each) => each.tell("loadCounts")))
  return counts.every(({ ok }) => ok > 50)
}

interface Filling {
  readonly stage: Stage
  readonly database: FaultPostgres
  readonly disk: SmallDisk
  readonly fleet: Fleet
  readonly processes: readonly FleetProcess[]
}

/** Leaves no room for tables until a call has given up. Returns how often a process met that, per second at most. */
async function fillTables({ stage, database, disk, fleet, processes }: Filling): Promise<number> {
  const ledger = await stage.ledger()
  const before = await ledger.count("calls", "outcome = 'unknown'")
  for (let n = 0; n < 4; n++) await database.query("select pg_switch_wal()")
  await database.query("checkpoint")
  await disk.fill(LEFT_BYTES)
  const fullAt = performance.now()
  const failures = processes.map(({ events }) => events.length)
  await until(() => processes.every(({ events }, at) => events.length > (failures[at] ?? 0)), {
    withinMs: 20_000,
    what: "both processes find the disk full",
  })
  await noHalfTenant(database, fleet)
  await until(async () => (await ledger.count("calls", "outcome = 'unknown'")) > before, {
    withinMs: 30_000,
    what: "a call of emit gives up",
    everyMs: 250,
  })
  const seconds = (performance.now() - fullAt) / 1_000
  const most = Math.max(...processes.map(({ events }, at) => (events.length - (failures[at] ?? 0)) / seconds))
  if (most > MOST_FAILURES_A_SECOND) throw new Error(`a process failed ${Math.round(most)} times a second`)
  return Math.round(most)
}

/** A tenant that there is no room for is refused, by a code, and nothing of it can be used. */
async function noHalfTenant({ query }: FaultPostgres, fleet: Fleet): Promise<void> {
  const known = await query<{ slug: string }>("select slug from fleetprompt.tenants where status = 'ready'")
  for (const [slug, placement] of Object.entries(PLACEMENTS)) {
    if (known.some((tenant) => tenant.slug === slug)) continue
    const provisioned = await fleet.tenants.provision(slug, { placement }).then(() => "ready", errorText)
    if (!provisioned.startsWith("database_full:"))
      throw new Error(`expected database_full for ${slug}, got ${provisioned}`)
    const emitted = await fleet
      .tenant(slug)
      .emit("order.created", {})
      .then(() => "stored", errorText)
    if (!emitted.startsWith("tenant_unknown:")) throw new Error(`expected ${slug} to be unknown, got ${emitted}`)
  }
  const half = await query<{ slug: string }>(
    `select slug from fleetprompt.tenants where placement = 'own' and (status = 'ready') <> (to_regnamespace(schema_name) is not null)`,
  )
  if (half.length > 0) throw new Error(`half a tenant: ${half.map(({ slug }) => slug).join(", ")}`)
}

/** Writes to the log until the server ends, since there is no room for its next file. */
async function fillLog({ query }: FaultPostgres, disk: SmallDisk): Promise<void> {
  await disk.fill(LEFT_BYTES)
  const write = async (): Promise<boolean> => {
    await query("select pg_logical_emit_message(true, 'faults', repeat('x', 4000000))")
    return false
  }
  const hasEnded = (): Promise<boolean> => write().catch((error: unknown) => !errorText(error).startsWith("53100:"))
  await until(hasEnded, { withinMs: 30_000, what: "the server ends for want of room for its log", everyMs: 1 })
}

/** Where it could not recover without room, somebody has to start it. */
async function startAgain(database: FaultPostgres): Promise<void> {
  await database.ready(2_000).catch(async () => {
    await database.stop("immediate")
    await database.start()
    await database.ready()
  })
}

/** Tenants that there was no room for can be had now. */
async function completeTenants(stage: Stage, fleet: Fleet): Promise<void> {
  const { emit } = await stage.recorder(fleet)
  for (const [slug, placement] of Object.entries(PLACEMENTS)) {
    await fleet.tenants.provision(slug, { placement })
    await emit(slug, { type: "order.created", data: { slug } })
  }
}

/** How many calls gave up. Each has a code of ours. */
async function refusedCalls(stage: Stage): Promise<number> {
  const ledger = await stage.ledger()
  const rows = await ledger.query<{ code: string; count: string }>(
    "select split_part(error, ':', 1) as code, count(*) as count from calls where error is not null group by code",
  )
  const bare = rows.filter(({ code }) => !(code in errorTable)).map(({ code, count }) => `${count} with ${code}`)
  if (bare.length > 0) throw new Error(`expected errors with codes of the table, got ${bare.join(", ")}`)
  return rows.reduce((sum, { count }) => sum + Number(count), 0)
}
