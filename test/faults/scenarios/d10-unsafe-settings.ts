import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { createFleet } from "../../../src/fleet.ts"
import type { DurabilityRisk } from "../../../src/store/durability.ts"
import { eventListener } from "../../../src/telemetry/events.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import { startLoad } from "../load.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

type Setting = Exclude<DurabilityRisk["setting"], "in_recovery">

/** Ways in which a server comes by a setting, each with the way back. */
const WAYS: readonly { readonly off: readonly Setting[]; readonly how: string; readonly back: string }[] = [
  ...(["fsync", "full_page_writes", "synchronous_commit"] as const).map((name) => ({
    off: [name],
    how: `alter system set ${name} = off`,
    back: `alter system reset ${name}`,
  })),
  {
    off: ["synchronous_commit"],
    how: "alter role postgres set synchronous_commit = off",
    back: "alter role postgres reset synchronous_commit",
  },
  {
    off: ["synchronous_commit"],
    how: "alter database postgres set synchronous_commit = off",
    back: "alter database postgres reset synchronous_commit",
  },
]

/** D10: a server that may lose what it acknowledged is told of at the start, however it came to that; one that may not loses nothing. */
export const scenario = defineScenario({
  id: "D10",
  title: "synchronous_commit=off, fsync=off",
  invariants: ["I1", "I2", "I3"],
  run: async (stage) => {
    const database = await stage.postgres()
    await expectRisks(database, [])
    const lostSafely = await lostInCrash(stage, database, "safe")
    if (lostSafely > 0) throw new Error(`${lostSafely} acknowledged signals were lost on a server that keeps them`)
    const figures = await stage.check(scenario.invariants)
    for (const { off, how, back } of WAYS) {
      await change(database, how, off, "off")
      await expectRisks(database, off)
      await change(database, back, off, "on")
    }
    await expectRisks(database, [])
    // A crash loses more than a moment then.
    await database.stop()
    await database.start({ synchronous_commit: "off", wal_writer_delay: "10s" })
    await expectCommandTells(database)
    const lostUnsafely = await lostInCrash(stage, database, "unsafe")
    if (lostUnsafely === 0)
      throw new Error("expected the crash to lose what was acknowledged; is this the right setting?")
    return { ...figures, lostSafely, lostUnsafely }
  },
})

/** Changes settings, and waits until a new connection has them. */
async function change(database: FaultPostgres, how: string, names: readonly Setting[], value: string): Promise<void> {
  await database.query(how)
  await database.query("select pg_reload_conf()")
  const isSo = async (): Promise<boolean> => {
    const rows = await database.query<{ setting: string }>("select setting from pg_settings where name = any ($1)", [
      names,
    ])
    return rows.every(({ setting }) => setting === value)
  }
  await until(isSo, { withinMs: 10_000, what: `${names.join()} is ${value}`, everyMs: 10 })
}

/** A fleet that starts tells of these settings and no others. */
async function expectRisks({ url }: FaultPostgres, expected: readonly Setting[]): Promise<void> {
  const fleet = createFleet({ databaseUrl: url, worker: false })
  const told: string[] = []
  fleet.telemetry.listen(
    eventListener(({ name, fields }) => {
      // The login is a superuser, which is another risk.
      if (name === "database.risk" && fields.value === "off") told.push(`${fields.setting} = ${fields.value}`)
    }),
  )
  await fleet.start()
  await fleet.stop()
  if (told.join() !== expected.map((name) => `${name} = off`).join())
    throw new Error(`expected to be told of ${expected.join() || "nothing"}, got ${told.join() || "nothing"}`)
}

/** Whoever starts a worker on the command line reads it there. */
async function expectCommandTells({ url }: FaultPostgres): Promise<void> {
  const command = fileURLToPath(new URL("../processes/command.js", import.meta.url))
  const child = spawn(process.execPath, [command, "worker"], {
    env: { ...process.env, DATABASE_URL: url },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on("line", (line) => lines.push(line))
  try {
    const expected = /^! synchronous_commit = off: a crash loses what was acknowledged .* set synchronous_commit = on/
    await until(() => lines.some((line) => expected.test(line)), {
      withinMs: 20_000,
      what: `fleetprompt worker warns of synchronous_commit; it said: ${lines.join(" | ")}`,
    })
  } finally {
    child.kill("SIGKILL")
  }
}

/** Emits at full speed, kills the server, and counts the acknowledged signals that are not there any more. */
async function lostInCrash(stage: Stage, database: FaultPostgres, tenant: string): Promise<number> {
  const fleet = await stage.fleet({ database })
  await fleet.tenants.provision(tenant)
  await database.query("checkpoint")
  const ledger = await stage.ledger()
  const load = startLoad(fleet, ledger, { tenants: [tenant], callers: 16, keyed: 0.2, retry: false })
  await until(() => load.counts().ok >= stage.sized(500, 20_000), { withinMs: 60_000, what: "signals are stored" })
  await database.kill9()
  const stopped = load.stop()
  await database.start()
  await stopped
  await fleet.stop()
  const stored = await database.query<{ id: string }>(`select id from org_${tenant}.signals`)
  const ids = new Set(stored.map(({ id }) => id))
  const acknowledged = await ledger.query<{ id: string }>(
    "select signal_id as id from calls where tenant = $1 and outcome = 'ok'",
    [tenant],
  )
  return acknowledged.filter(({ id }) => !ids.has(id)).length
}
