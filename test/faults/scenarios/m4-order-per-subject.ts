import type { FaultPostgres } from "../fault-postgres.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { EmitRequest, RecordedEmit } from "../ledger/recorded-emit.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import { until } from "../wait.ts"

const leaseMs = 2_000
const BEGUN = "order.write:begun"

/**
 * M4: work is ordered by subject. First one subject is stuck and the others go on; then attempts fail and workers are
 * killed, and of each subject everything is done in the order in which it was stored.
 */
export const scenario = defineScenario({
  id: "M4",
  title: "per-subject order with retries and crashes",
  invariants: ["I1", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const [subjects, each] = [stage.sized(8, 50), stage.sized(15, 1_000)]
    const [kills, callsBetween] = [stage.sized(2, 20), stage.sized(5, 200)]
    const database = await stage.postgres()
    const handlers = { set: "ordered", options: { workMs: 40 } }
    const fleet = await stage.fleet({ database, handlers })
    for (const slug of ["stuck", "crashed"]) await fleet.tenants.provision(slug)
    const recorder = await stage.recorder(fleet)
    const options = { database, handlers, fleet: { worker: { leaseMs } }, hold: ["order.write:stuck"] }
    const workers = [await stage.worker(options), await stage.worker(options)]
    await expectOthersGoOn(recorder, await stage.ledger(), workers, subjects)
    await fleet.drain()
    for (const running of workers.splice(0)) await running.stop()
    // A part before each kill, so that whoever is to be killed has work before it, however long others took to start.
    const roundOf = (n: number): number => Math.floor((each * n) / (kills + 1))
    const part = (n: number): Rounds => ({ from: roundOf(n), to: roundOf(n + 1) })
    await emitInTurn(recorder, "crashed", subjects, part(0))
    workers.push(await stage.worker(options), await stage.worker(options))
    for (let n = 0; n < kills; n++) {
      const oldest = workers.shift()
      const enough = oldest?.reached(BEGUN, passed(oldest) + callsBetween, 60_000)
      // At once, while it is in the middle of something.
      const killed = enough?.then(() => oldest?.kill("SIGKILL"))
      await Promise.all([killed, emitInTurn(recorder, "crashed", subjects, part(n + 1))])
      workers.push((await stage.spawn(options)).process)
    }
    await until(async () => (await fleet.tenant("crashed").openDeliveries()) === 0, {
      withinMs: stage.sized(40_000, 600_000),
      what: "all of the order is done",
      everyMs: 200,
    })
    const ledger = await stage.ledger()
    const calls = (await expectOrder(database, ledger, "stuck")) + (await expectOrder(database, ledger, "crashed"))
    const failed = await ledger.count("invocations", "outcome = 'threw'")
    const crashed = await ledger.count("invocations", "outcome is null")
    if (failed === 0 || crashed === 0) throw new Error(`expected failures and crashes, got ${failed} and ${crashed}`)
    return { ...(await stage.check(scenario.invariants, { leaseMs })), calls, failed, crashed }
  },
})

/** How many calls a worker began so far. */
function passed(worker: FleetProcess | undefined): number {
  return worker?.points.filter(({ point }) => point === BEGUN).length ?? 0
}

/** The first signal of one subject does not end; all other subjects' are done meanwhile, and none behind it begins. */
async function expectOthersGoOn(
  { emitMany }: RecordedEmit,
  ledger: Ledger,
  workers: readonly FleetProcess[],
  subjects: number,
): Promise<void> {
  const stuck = [0, 1, 2].map((seq) => requestFor("order:stuck", { seq, fails: 0, stuck: seq === 0 }))
  await emitMany("stuck", stuck)
  await until(() => workers.some((each) => each.points.some(({ point }) => point === "order.write:stuck")), {
    withinMs: 20_000,
    what: "one subject is stuck",
  })
  const others = Array.from({ length: subjects * 5 }, (_, n) =>
    requestFor(`order:${n % subjects}`, { seq: Math.floor(n / subjects), fails: 0 }),
  )
  await emitMany("stuck", others)
  const returned = (): Promise<number> => ledger.count("invocations", "tenant = 'stuck' and outcome = 'returned'")
  await until(async () => (await returned()) === others.length, {
    withinMs: 20_000,
    what: "the other subjects are done",
  })
  const begun = await ledger.count("invocations", "tenant = 'stuck'")
  if (begun !== others.length + 1)
    throw new Error(`expected nothing to begin behind what is stuck, got ${begun - others.length} calls`)
  for (const each of workers) await each.tell("release", "order.write:stuck")
}

/** Which of each subject's signals: from one up to another, which is not among them. */
interface Rounds {
  readonly from: number
  readonly to: number
}

/** Signals of subjects in turn, of which each seventh fails once, and a few three times. */
async function emitInTurn(
  { emitMany }: RecordedEmit,
  tenant: string,
  subjects: number,
  { from, to }: Rounds,
): Promise<void> {
  for (let seq = from; seq < to; seq++) {
    await emitMany(
      tenant,
      Array.from({ length: subjects }, (_, subject) => {
        const n = seq * subjects + subject
        return requestFor(`order:${subject}`, { seq, fails: n % 7 !== 0 ? 0 : n % 49 === 0 ? 3 : 1 })
      }),
    )
  }
}

function requestFor(subject: string, data: object): EmitRequest {
  return { type: "order.created", data, options: { subject } }
}

interface Call {
  readonly seq: number
  readonly begunAt: Date
  /** When it had done its work; null when it did not. */
  readonly doneAt: Date | null
}

/** No call begins before all that its subject has before it was done. Returns how many calls there were. */
async function expectOrder({ query }: FaultPostgres, ledger: Ledger, tenant: string): Promise<number> {
  const signals = await query<{ id: string; subject: string; seq: number }>(
    `select id, metadata #>> '{cloudevents,subject}' as subject, (data ->> 'seq')::int as seq
     from org_${tenant}.signals`,
  )
  const places = new Map(signals.map((each) => [each.id, each]))
  const rows = await ledger.query<{ id: string; begunAt: Date; doneAt: Date | null }>(
    `select signal_id as id, begun_at as "begunAt", case outcome when 'returned' then ended_at end as "doneAt"
     from invocations where tenant = $1 order by begun_at`,
    [tenant],
  )
  const bySubject = new Map<string, Call[]>()
  for (const { id, ...times } of rows) {
    const { subject = "", seq = -1 } = places.get(id) ?? {}
    bySubject.set(subject, [...(bySubject.get(subject) ?? []), { seq, ...times }])
  }
  for (const [subject, calls] of bySubject) expectInTurn(`${subject} of ${tenant}`, calls)
  return rows.length
}

function expectInTurn(what: string, calls: readonly Call[]): void {
  calls.forEach((call, at) => {
    const later = calls.slice(0, at).find(({ seq }) => seq > call.seq)
    if (later) throw new Error(`expected ${what} in order, got ${call.seq} begun after ${later.seq}`)
    if (call.seq === 0) return
    const before = calls.slice(0, at).filter(({ seq }) => seq === call.seq - 1)
    if (before.some(({ doneAt }) => doneAt !== null && doneAt <= call.begunAt)) return
    throw new Error(`expected ${what} in order, got ${call.seq} begun before ${call.seq - 1} was done`)
  })
}
