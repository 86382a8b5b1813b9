import type { FleetProcess } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

const EVERY_MS = 2_000
const WORKERS = 3

/** P8: old and new code emit and run side by side while workers are replaced one by one, forth and back. */
export const scenario = defineScenario({
  id: "P8",
  title: "rolling restart every 2 s with two code versions",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8"],
  run: async (stage) => {
    const database = await stage.postgres()
    const code = (version: number) => ({ set: "rolling", options: { version } })
    const fleet = await stage.fleet({ database, handlers: code(2) })
    await fleet.tenants.provision("acme")
    const start = (version: number): Promise<FleetProcess> => stage.worker({ database, handlers: code(version) })
    const running = await Promise.all(Array.from({ length: WORKERS }, () => start(1)))
    const load = { tenants: ["acme"], perSecond: stage.sized(15, 60) }
    const emitters = await Promise.all([
      stage.emitter({ database, handlers: code(1), load: { ...load, types: ["order.old"] } }),
      stage.emitter({ database, handlers: code(2), load: { ...load, types: ["order.new", "extra.new"] } }),
    ])
    await until(async () => (await waitingForNew(database)) >= 10, {
      withinMs: 20_000,
      what: "work that the old code does not know waits",
    })
    const restarts = await roll(stage, running, start)
    for (const emitter of emitters) await emitter.tell("stopLoad")
    await fleet.drain()
    const [bad] = await database.query<{ count: number; example: string | null }>(
      `select count(*)::int as count, min(handler || ' ' || outcome || ' with version ' || version) as example
       from org_acme.attempts join org_acme.signals on signals.id = signal_id
       where outcome <> 'done' or (type like '%.new' and version < 2)`,
    )
    if (bad?.count !== 0)
      throw new Error(`${bad?.count} attempts ended otherwise than done by code that is new enough: ${bad?.example}`)
    return { ...(await stage.check(scenario.invariants)), restarts }
  },
})

/** New code's deliveries that nobody has touched. @throws Error when somebody has */
async function waitingForNew({ query }: Awaited<ReturnType<Stage["postgres"]>>): Promise<number> {
  const rows = await query<{ attempt: number }>(
    "select attempt from fleetprompt.deliveries where handler = 'extra.work' or version = 2",
  )
  if (rows.some(({ attempt }) => attempt > 0)) throw new Error("old code claimed what was made for new code")
  return rows.length
}

/** Forth, back and forth again, the oldest worker first; at the end all are new. */
async function roll(
  stage: Stage,
  running: FleetProcess[],
  start: (version: number) => Promise<FleetProcess>,
): Promise<number> {
  const rounds = stage.sized([2, 1, 2], [2, 1, 2, 1, 2, 1, 2, 1, 2])
  const versions = rounds.flatMap((version) => Array.from({ length: WORKERS }, () => version))
  const ends: Promise<void>[] = []
  for (const version of versions) {
    const begunAt = performance.now()
    const old = running.shift()
    old?.kill("SIGTERM")
    if (old) ends.push(expectGoodEnd(old))
    running.push(await start(version))
    await until(() => performance.now() - begunAt >= EVERY_MS, { withinMs: EVERY_MS + 100, what: "the next restart" })
  }
  await Promise.all(ends)
  return versions.length
}

async function expectGoodEnd(worker: FleetProcess): Promise<void> {
  const { code, signal } = await worker.exited
  if (code !== 0) throw new Error(`expected a worker that is replaced to end with 0, got ${code ?? signal}`)
}
