import { setTimeout as passed } from "node:timers/promises"
import { Client } from "pg"
import { isFleetPromptError } from "../../../src/errors.ts"
import type { Fleet } from "../../../src/fleet.ts"
import { isTransient } from "../../../src/store/transient.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { recovery } from "../recovery.ts"
import { defineScenario } from "../scenario.ts"
import type { FaultProxy, Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** How often a process may try to connect, on average of a second: a few kinds of connections, each with pauses. */
const TRIES_A_SECOND = 5
/** How long a health check may take to say that there is no database. */
const HEALTH_MS = 3_000
const ROLE = "app"

/** D6: the server has no connection left for its users, for a while; all that the product had are gone. */
export const scenario = defineScenario({
  id: "D6",
  title: "max_connections full",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"],
  run: async (stage) => {
    const cluster = await stage.postgres({ settings: { max_connections: "60" } })
    const proxy = await stage.proxy(cluster)
    const database = { url: await asUser(cluster, proxy.url) }
    const fleet = await stage.fleet({ database })
    for (const slug of ["acme", "probe"]) await fleet.tenants.provision(slug)
    const worker = await stage.worker({ database })
    const load = { tenants: ["acme"], perSecond: stage.sized(40, 100), keyed: 0.5, duplicates: 0.1 }
    const emitter = await stage.emitter({ database, load })
    await stage.tail(fleet, { name: "tail", tenant: "acme" })
    const idle = await Promise.all([idleFleet(stage, cluster), idleFleet(stage, cluster)])
    await until(async () => (await emitter.tell("loadCounts")).ok > 50, { withinMs: 20_000, what: "it emits" })

    const leave = await fill(stage, cluster, [proxy, ...idle])
    const patience = await triesWhileFull(stage.sized(6_000, 60_000), proxy, idle)
    await expectTypedErrors(stage, fleet, database)
    const asks = [() => fleet.health(), () => worker.tell("health"), () => emitter.tell("health")]
    const healthMs = Math.max(...(await Promise.all(asks.map(saysNo))))
    await leave()
    const recovered = await recovery(stage, { fleet, processes: [worker, emitter], tenant: "probe" })
    await emitter.tell("stopLoad")
    await fleet.drain()
    return { ...(await stage.check(scenario.invariants)), ...patience, healthMs, ...recovered }
  },
})

/** A role for the product: superusers have connections of their own. Answers the URL with it. */
async function asUser(cluster: FaultPostgres, url: string): Promise<string> {
  const { password } = new URL(cluster.url)
  await cluster.query(`create role ${ROLE} login password '${password}'`)
  await cluster.query(`grant create on database postgres to ${ROLE}`)
  for (const group of ["fleetprompt_tenant", "fleetprompt_engine"]) {
    await cluster.query(`create role ${group} nologin`)
    await cluster.query(`grant ${group} to ${ROLE}`)
  }
  return Object.assign(new URL(url), { username: ROLE }).href
}

/** A fleet that does nothing but listen, behind a proxy of its own. */
async function idleFleet(stage: Stage, cluster: FaultPostgres): Promise<FaultProxy> {
  const proxy = await stage.proxy(cluster)
  const fleet = await stage.fleet({ database: { url: Object.assign(new URL(proxy.url), { username: ROLE }).href } })
  await fleet.tenants.list()
  return proxy
}

/** Takes all connections for others, those of the product too. Returns how to give them back. */
async function fill(
  stage: Stage,
  cluster: FaultPostgres,
  proxies: readonly FaultProxy[],
): Promise<() => Promise<void>> {
  const fillers: Client[] = []
  const leave = async (): Promise<void> => void (await Promise.all(fillers.splice(0).map((each) => each.end())))
  stage.cleanup("other people's connections", leave)
  // Nobody of the product gets in before all places are taken.
  for (const each of proxies) each.hold()
  const ended = await cluster.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${ROLE}'`)
  if (ended.length === 0) throw new Error("expected the product to have connections, it has none")
  const connectionString = Object.assign(new URL(cluster.url), { username: ROLE }).href
  await until(async () => !(await gotIn(connectionString, fillers)), {
    withinMs: 30_000,
    everyMs: 0,
    what: "no connection is left",
  })
  for (const each of proxies) each.letIn()
  return leave
}

async function gotIn(connectionString: string, fillers: Client[]): Promise<boolean> {
  const client = new Client({ connectionString, application_name: "filler" })
  client.on("error", () => {})
  try {
    await client.connect()
    return fillers.push(client) > 0
  } catch (error) {
    if (Reflect.get(Object(error), "code") === "53300") return false
    throw error
  }
}

/** How often three processes behind a proxy try to connect, and whether two idle ones do so at different times. */
async function triesWhileFull(windowMs: number, proxy: FaultProxy, idle: readonly FaultProxy[]) {
  const fullAt = performance.now()
  await passed(windowMs)
  const triesOf = (each: FaultProxy): readonly number[] => each.arrivals().filter((at) => at > fullAt)
  const triesASecond = Math.round((triesOf(proxy).length / 3 / windowMs) * 10_000) / 10
  if (triesASecond > TRIES_A_SECOND || triesASecond === 0)
    throw new Error(`expected some, at most ${TRIES_A_SECOND} tries a second of each process, got ${triesASecond}`)
  const apartMs = apart(idle.map(triesOf))
  if (apartMs < 50) throw new Error(`expected two processes to try at different times, got ${apartMs} ms apart`)
  return { triesASecond, apartMs }
}

/** How far the tries of two processes that lost the server at once are from each other, on average, milliseconds. */
function apart([one = [], other = []]: readonly (readonly number[])[]): number {
  const pairs = Math.min(one.length, other.length)
  if (pairs < 3) throw new Error(`expected each process to try at least 3 times, got ${one.length} and ${other.length}`)
  const distances = one.slice(0, pairs).map((at, n) => Math.abs(at - (other[n] ?? at)))
  return Math.round(distances.reduce((sum, each) => sum + each, 0) / pairs)
}

async function expectTypedErrors(stage: Stage, fleet: Fleet, database: { readonly url: string }): Promise<void> {
  const calls: readonly (() => Promise<unknown>)[] = [
    () => fleet.tenant("acme").signals.list({ limit: 1, visibilities: ["internal"] }),
    () => fleet.transaction((tx) => tx.query("select 1")),
    () => stage.fleet({ database }),
  ]
  for (const call of calls) {
    const error = await call().then(
      () => new Error("it was answered"),
      (thrown: unknown) => thrown,
    )
    if (isFleetPromptError(error) && isTransient(error) && error.message.includes("max_connections")) continue
    throw new Error("expected an error that names max_connections and may be tried again", { cause: error })
  }
}

/** Answers how long a health check took to say that all is not well, milliseconds. */
async function saysNo(ask: () => Promise<unknown>): Promise<number> {
  const askedAt = performance.now()
  const health = Object(await ask())
  const ms = Math.round(performance.now() - askedAt)
  if (Reflect.get(health, "ready") !== false || ms > HEALTH_MS)
    throw new Error(`expected health to say no within ${HEALTH_MS} ms, got ${JSON.stringify(health)} after ${ms} ms`)
  return ms
}
