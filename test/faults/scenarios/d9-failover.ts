import { setTimeout as passed } from "node:timers/promises"
import { isTransient } from "../../../src/store/transient.ts"
import type { Fleet } from "../../../src/fleet.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { emits, type Recovery, recovery } from "../recovery.ts"
import { defineScenario, type Figures } from "../scenario.ts"
import type { FaultProxy, Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** D9: a server takes no writes for a while; then another takes over, while the old one goes on to answer reads; then that one is lost. */
export const scenario = defineScenario({
  id: "D9",
  title: "read-only server, failover",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"],
  run: async (stage) => {
    const leaseMs = stage.sized(4_000, 12_000)
    const first = await stage.postgres()
    const proxy = await stage.proxy(first)
    const fleet = await stage.fleet({ database: proxy })
    for (const slug of ["acme", "probe"]) await fleet.tenants.provision(slug)
    const worker = await stage.worker({ database: proxy, fleet: { worker: { leaseMs } } })
    const load = { tenants: ["acme"], perSecond: stage.sized(50, 100), keyed: 0.5, duplicates: 0.1 }
    const emitter = await stage.emitter({ database: proxy, load })
    await stage.tail(fleet, { name: "tail", tenant: "acme" })
    const patients = { fleet, processes: [worker, emitter], tenant: "probe" }
    const second = await syncedStandby(stage, first)
    await emits(emitter)

    await setReadOnly(first, true)
    await expectRefusal(fleet)
    await saysSo(fleet)
    await passed(stage.sized(2_000, 60_000))
    await setReadOnly(first, false)
    const readOnly = await recovery(stage, patients)

    // Nobody has anything to write at the moment when another server takes over, so that nobody is refused.
    await emitter.tell("pauseLoad")
    await fleet.drain()
    await setReadOnly(first, true)
    await takesOver(second, proxy)
    const switched = await recovery(stage, patients)
    await emitter.tell("resumeLoad")

    const third = await syncedStandby(stage, second)
    await emits(emitter)
    await second.kill9()
    await takesOver(third, proxy)
    const lost = await recovery(stage, patients)
    await emits(emitter)
    await emitter.tell("stopLoad")
    await fleet.drain()
    const figures = await stage.check(scenario.invariants, { database: third, leaseMs })
    return { ...figures, ...named("readOnly", readOnly), ...named("switch", switched), ...named("loss", lost) }
  },
})

/** A standby without which its primary acknowledges nothing. */
async function syncedStandby(stage: Stage, primary: FaultPostgres): Promise<FaultPostgres> {
  const standby = await stage.standby(primary)
  await primary.query("alter system set synchronous_standby_names = 'standby'")
  await primary.query("select pg_reload_conf()")
  const isSynced = "select 1 from pg_stat_replication where sync_state = 'sync' and state = 'streaming'"
  await until(async () => (await primary.query(isSynced)).length > 0, { withinMs: 20_000, what: "the standby follows" })
  return standby
}

/** The standby becomes a primary, and the address leads new connections to it. */
async function takesOver(standby: FaultPostgres, address: FaultProxy): Promise<void> {
  await standby.query("select pg_promote()")
  address.leadTo(standby.port)
}

function named(what: string, { healthyMs, handledMs }: Recovery): Figures {
  return { [`${what}HealthyMs`]: healthyMs, [`${what}HandledMs`]: handledMs }
}

async function setReadOnly({ query }: FaultPostgres, isOn: boolean): Promise<void> {
  await query(`alter system set default_transaction_read_only = ${isOn ? "on" : "off"}`)
  await query("select pg_reload_conf()")
}

/** Whoever asks is told that it is not ready. */
async function saysSo(fleet: Fleet): Promise<void> {
  const isNotReady = async (): Promise<boolean> => !(await fleet.health()).ready
  await until(isNotReady, { withinMs: 5_000, what: "the fleet says that it is not ready" })
}

class StillWritable extends Error {}

/** A caller's own transaction is told the truth, and that it may try again. */
async function expectRefusal(fleet: Fleet): Promise<void> {
  const attempt = (): Promise<never> =>
    fleet.transaction(async (tx) => {
      await fleet.tenant("probe").emit("never.stored", {}, { tx })
      throw new StillWritable("the server takes writes still")
    })
  const isRefused = (error: unknown): boolean => isTransient(error) && Reflect.get(Object(error), "code") === "25006"
  await until(() => attempt().catch(isRefused), { withinMs: 10_000, what: "a write is refused as read-only" })
}
