import { setTimeout as wait } from "node:timers/promises"
import { createFetchHandler } from "../../../src/server/fetch-handler.ts"
import { serve } from "../../../src/server/serve.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import type { FloodCounts } from "../flood.ts"
import { postSigned, webhookOf } from "../hostile-bodies.ts"
import { noteStored } from "../ledger/note-stored.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

const MIB = 2 ** 20
/** Callers who may wait for each place, at most. */
const WAITING_PER_PLACE = 10
/** Connections of one process at most: transactions, short statements, one to listen, one for leases. */
const CONNECTIONS = 22

/** M8: nobody runs handlers, and more is emitted than the database takes up, by calls and over HTTP. Then workers come. */
export const scenario = defineScenario({
  id: "M8",
  title: "workers off, 50,000 emits/s for 60 s, then on",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  limitMs: { short: 120_000, long: 1_800_000 },
  run: async (stage) => {
    // A call under way or in line takes about 5 KB, its data and what the harness has of it included.
    const [heapMiB, limit] = [stage.sized(80, 1_024), stage.sized(100, 10_000)]
    const order = stage.sized({ burst: 2_000, everyMs: 250, bursts: 10 }, { burst: 5_000, everyMs: 100, bursts: 600 })
    const database = await stage.postgres()
    const fleet = await stage.fleet({ database })
    await fleet.tenants.provision("acme")
    const nodeFlags = [`--max-old-space-size=${heapMiB}`]
    const emitter = await stage.worker({ database, nodeFlags, fleet: { worker: false, emitQueue: { limit } } })
    const peak = watchHeap(stage, emitter)
    const counts = await emitter.tell("flood", { ...order, tenant: "acme", dataBytes: 1_000 })
    const heapPeakMiB = Math.round((await peak()) / MIB)
    expectTurnedAway(counts, limit * (1 + WAITING_PER_PLACE) + order.burst)
    const http = await expectRetryAfter(stage, database)
    const drained = await drain(stage, database)
    const { offered, stored, refused, unknown } = counts
    const figures = { offered, stored, refused, unknown, heapPeakMiB, http429: http, ...drained }
    return { ...(await stage.check(scenario.invariants)), ...figures }
  },
})

/** Looks at the heap of a process again and again. The function ends that and answers the most. */
function watchHeap(stage: Stage, process: FleetProcess): () => Promise<number> {
  let most = 0
  const look = async (): Promise<void> => {
    most = Math.max(most, (await process.tell("usage")).heapUsed)
  }
  const timer = setInterval(() => void look().catch(() => {}), 200)
  stage.cleanup("a look at memory", () => clearInterval(timer))
  return async () => {
    clearInterval(timer)
    await look()
    return most
  }
}

/** Beyond the cap calls are refused at once, and with nothing but that. */
function expectTurnedAway(
  { offered, stored, refused, unknown, mostUnderWay, errors }: FloodCounts,
  most: number,
): void {
  if (errors.length > 0) throw new Error(`expected calls to be stored or refused, got ${errors.join("; ")}`)
  if (refused === 0 || stored === 0)
    throw new Error(`expected some to be stored and some refused, got ${stored} and ${refused}`)
  const answered = stored + refused + unknown
  if (answered !== offered) throw new Error(`expected ${offered} answers, got ${answered}`)
  if (mostUnderWay > most) throw new Error(`expected at most ${most} calls under way, got ${mostUnderWay}`)
}

/** At the cap, the HTTP edge says when to come back, and those who do are let in. Returns how many were told so. */
async function expectRetryAfter(stage: Stage, database: FaultPostgres): Promise<number> {
  const webhooks = [webhookOf("acme")]
  const fleet = await stage.fleet({ database, webhooks, emitQueue: { limit: 2, whenFull: "refuse" } })
  const server = await serve(createFetchHandler(fleet, { authenticate: () => undefined, limits: false }), { port: 0 })
  stage.cleanup("a server", server.close)
  const url = `${server.url}/v1/webhooks/github`
  const ledger = await stage.ledger()
  let told = 0
  const send = async (n: number): Promise<void> => {
    const [data, event] = [{ n }, crypto.randomUUID()]
    for (;;) {
      const response = await postSigned(url, JSON.stringify(data), event)
      const answer = (await response.json()) as { readonly id?: string; readonly code?: string }
      if (answer.id !== undefined) return noteStored(ledger, { tenant: "acme", type: "github.push", data }, answer.id)
      const seconds = Number(response.headers.get("retry-after"))
      if (response.status !== 429 || answer.code !== "emit_queue_full" || !(seconds >= 1))
        throw new Error(
          `expected 202, or 429 with Retry-After; got ${response.status} ${answer.code}, after ${seconds}`,
        )
      told += 1
      await wait(seconds * 1_000 * (1 + Math.random()))
    }
  }
  await Promise.all(Array.from({ length: 20 }, (_, n) => send(n)))
  if (told === 0) throw new Error("expected some requests to be told to come back, got none")
  return told
}

/** Two workers find the backlog. It is done once each, in few claims and over few connections. */
async function drain(
  stage: Stage,
  database: FaultPostgres,
): Promise<{ readonly drainedMs: number; readonly claims: number; readonly mostConnections: number }> {
  const [before] = await database.query<{ open: number }>("select count(*)::int as open from fleetprompt.deliveries")
  const idle = await connections(database)
  const workers = [0, 1].map(() => stage.worker({ database, watchStatements: true }))
  const startedAt = performance.now()
  let mostConnections = 0
  await until(
    async () => {
      mostConnections = Math.max(mostConnections, (await connections(database)) - idle)
      const [row] = await database.query<{ isOpen: boolean }>(
        'select exists (select 1 from fleetprompt.deliveries) as "isOpen"',
      )
      return !row?.isOpen
    },
    { withinMs: stage.sized(60_000, 1_200_000), what: "the backlog is done", everyMs: 100 },
  )
  const drainedMs = Math.round(performance.now() - startedAt)
  const ready = await Promise.all(workers)
  const names = (await Promise.all(ready.map((each) => each.tell("statements")))).flat()
  const claims = names.filter((name) => name === "claimDeliveries").length
  const failed = ready.flatMap(({ events }) => events)
  const repeated = await (await stage.ledger()).count("invocations", "attempt <> 1")
  if (mostConnections > 2 * CONNECTIONS)
    throw new Error(`expected two workers with ${CONNECTIONS} connections each, got ${mostConnections}`)
  if (claims > (before?.open ?? 0) / 2)
    throw new Error(`expected few claims for ${before?.open} deliveries, got ${claims}`)
  if (failed.length > 0) throw new Error(`expected no trouble, got ${JSON.stringify(failed[0])}`)
  if (repeated > 0) throw new Error(`expected each delivery to be begun once, got ${repeated} more calls`)
  return { drainedMs, claims, mostConnections }
}

async function connections({ query }: FaultPostgres): Promise<number> {
  const [row] = await query<{ count: number }>(
    "select count(*)::int as count from pg_stat_activity where backend_type = 'client backend'",
  )
  return row?.count ?? 0
}
