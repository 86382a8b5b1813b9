import type { Fleet } from "../../../src/fleet.ts"
import type { Replay } from "../../../src/tenants/replay-view.ts"
import type { ReplayRequest } from "../../../src/tenants/replay-request.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { RecordedEmit } from "../ledger/recorded-emit.ts"
import { startLoad } from "../load.ts"
import { defineScenario } from "../scenario.ts"

const OLD = { pattern: "order.old" }
/** The subject of those that are replayed at a slow pace too. */
const PACED = "order:paced"
const ACTOR = { actor: { id: "user_1", role: "operator" } }

/** M5: what is stored and done is replayed while new work comes in: as anybody would, by force, and by force at a slow pace. */
export const scenario = defineScenario({
  id: "M5",
  title: "replay 100,000 under live load",
  invariants: ["I1", "I3", "I4", "I5", "I6", "I7", "I8"],
  limitMs: { short: 120_000, long: 1_800_000 },
  run: async (stage) => {
    const [count, paced, perSecond] = [stage.sized(300, 100_000), stage.sized(100, 5_000), stage.sized(40, 500)]
    const maxOpen = stage.sized(60, 1_000)
    const database = await stage.postgres()
    const handlers = { set: "replayed" }
    const fleet = await stage.fleet({ database, handlers })
    await fleet.tenants.provision("acme")
    for (let n = 0; n < 2; n++) await stage.worker({ database, handlers })
    await emitOld(await stage.recorder(fleet), count, paced)
    await fleet.drain()
    const ledger = await stage.ledger()
    const before = await standing(database, ledger)
    const load = startLoad(fleet, ledger, { tenants: ["acme"], types: ["order.live"], perSecond: stage.sized(40, 200) })
    stage.cleanup("the live load", load.stop)
    const run = (request: ReplayRequest): Promise<Carried> => carryOut(fleet, database, request)
    expectCounts(await run({ filter: OLD }), { enqueued: 0, skipped: 2 * count })
    const all = expectCounts(await run({ filter: OLD, force: true, perSecond: 10_000, maxOpen }), {
      enqueued: count,
      skipped: count,
    })
    if (all.mostOpen > maxOpen) throw new Error(`expected ${maxOpen} open deliveries at most, got ${all.mostOpen}`)
    const some = expectCounts(await run({ filter: { ...OLD, subject: PACED }, force: true, perSecond }), {
      enqueued: paced,
      skipped: paced,
    })
    await load.stop()
    await fleet.drain()
    await expectMarked(ledger, [all.replay.id, some.replay.id], [count, paced])
    const pacedSeconds = await expectPace(ledger, some.replay.id, paced, perSecond)
    const live = await expectLive(ledger, all.replay.id)
    const after = await standing(database, ledger)
    if (JSON.stringify(after) !== JSON.stringify(before))
      throw new Error(`expected no new facts and no effects under new keys, got ${JSON.stringify({ before, after })}`)
    const figures = { replayed: count + paced, seconds: all.seconds, mostOpen: all.mostOpen, pacedSeconds, ...live }
    return { ...(await stage.check(scenario.invariants)), ...figures }
  },
})

async function emitOld({ emitMany }: RecordedEmit, count: number, paced: number): Promise<void> {
  for (let at = 0; at < count; at += 1_000) {
    const size = Math.min(1_000, count - at)
    await emitMany(
      "acme",
      Array.from({ length: size }, (_, n) => {
        const options = at + n < paced ? { subject: PACED } : {}
        return { type: "order.old", data: { n: at + n }, options }
      }),
    )
  }
}

/** A replay that ended, with the most deliveries of it that were seen in the queue at once. */
interface Carried {
  readonly replay: Replay
  readonly mostOpen: number
  readonly seconds: number
}

async function carryOut(fleet: Fleet, { query }: FaultPostgres, request: ReplayRequest): Promise<Carried> {
  const { replays } = fleet.tenant("acme")
  const startedAt = performance.now()
  let replay = await replays.start(request, ACTOR)
  let mostOpen = 0
  while (replay.status === "running") {
    const [row] = await query<{ open: number }>(
      "select count(*)::int as open from fleetprompt.deliveries where replay_id = $1",
      [replay.id],
    )
    mostOpen = Math.max(mostOpen, row?.open ?? 0)
    replay = (await replays.get(replay.id)) ?? replay
  }
  return { replay, mostOpen, seconds: Math.round((performance.now() - startedAt) / 100) / 10 }
}

function expectCounts(carried: Carried, expected: { readonly enqueued: number; readonly skipped: number }): Carried {
  const { status, enqueued, skipped } = carried.replay
  if (status === "completed" && enqueued === expected.enqueued && skipped === expected.skipped) return carried
  throw new Error(
    `expected a replay that made ${expected.enqueued} deliveries and left ${expected.skipped} out, got ${enqueued} and ${skipped}, ${status}`,
  )
}

/** The facts that came of the old signals, and what was done outside for them, by the keys that handlers are given. */
async function standing({ query }: FaultPostgres, ledger: Ledger): Promise<object> {
  const facts = await query<{ id: string }>(
    `select fact.id from org_acme.signals as fact
     left join org_acme.signals as cause on cause.id::text = fact.metadata ->> 'causation_id'
     where coalesce(cause.type, fact.type) = 'order.old' order by fact.id`,
  )
  const [effects] = await ledger.query<{ keys: string }>(
    `select count(distinct delivery_id) as keys from effects
     where signal_id in (select signal_id from calls where type = 'order.old')`,
  )
  return { facts: facts.length, last: facts.at(-1)?.id, ...effects }
}

/** Each replay called the handler that lets it, once for each signal and with its mark; none called another. */
async function expectMarked(ledger: Ledger, ids: readonly string[], counts: readonly number[]): Promise<void> {
  const rows = await ledger.query<{ id: string; handler: string; calls: number; signals: number }>(
    `select replay_id as id, handler, count(*)::int as calls, count(distinct signal_id)::int as signals
     from invocations where replay_id is not null group by replay_id, handler`,
  )
  const got = rows.map(({ id, handler, calls, signals }) => `${id} ${handler} ${calls} ${signals}`).toSorted()
  const expected = ids.map((id, at) => `${id} replay.work ${counts[at]} ${counts[at]}`).toSorted()
  if (got.join("; ") !== expected.join("; "))
    throw new Error(`expected the calls of replays to be ${expected.join("; ")}, got ${got.join("; ")}`)
}

/** Returns how long the replay's calls took from the first to the last, seconds. */
async function expectPace(ledger: Ledger, replayId: string, count: number, perSecond: number): Promise<number> {
  const [row] = await ledger.query<{ seconds: number }>(
    `select extract(epoch from max(begun_at) - min(begun_at))::float8 as seconds from invocations where replay_id = $1`,
    [replayId],
  )
  const seconds = Math.round((row?.seconds ?? 0) * 10) / 10
  // A step makes the deliveries of up to a quarter of a second; calls of the first one may have been late.
  const least = 0.8 * (count / perSecond - 0.25)
  if (seconds >= least) return seconds
  throw new Error(`expected ${count} signals to take ${least} s at least at ${perSecond} a second, got ${seconds} s`)
}

/** While the replay ran, live work was done as it came. Returns how much, and how long it waited. */
async function expectLive(
  ledger: Ledger,
  replayId: string,
): Promise<{ readonly live: number; readonly liveP99Ms: number }> {
  const [row] = await ledger.query<{ asked: number; done: number; p99: number }>(
    `with span as (select min(begun_at) as since, max(begun_at) as until from invocations where replay_id = $1)
     select count(distinct call_id)::int as asked, count(distinct call_id) filter (where ran.ended_at <= until)::int as done,
       (percentile_cont(0.99) within group (order by extract(epoch from ran.begun_at - call.begun_at) * 1000))::int as p99
     from calls as call cross join span
     join invocations as ran on ran.signal_id = call.signal_id and ran.handler = 'replay.work'
     where call.type = 'order.live' and call.begun_at between since and until`,
    [replayId],
  )
  const { asked = 0, done = 0, p99 = 0 } = row ?? {}
  if (done === 0 || done < asked / 2)
    throw new Error(`expected live work to be done beside the replay, got ${done} of ${asked}`)
  return { live: asked, liveP99Ms: p99 }
}
