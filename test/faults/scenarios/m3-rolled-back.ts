import { Client } from "pg"
import type { JsonObject } from "../../../src/signal/json.ts"
import { CHANNEL } from "../../../src/store/announcements.ts"
import type { Fleet } from "../../../src/fleet.ts"
import type { JoinableTransaction } from "../../../src/store/joined-transaction.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { hashOf } from "../ledger/content.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

/** How a caller's transaction ends that emitted. */
const ENDS = ["rollback", "savepoint", "failed statement", "thrown", "connection lost", "commit"] as const
type End = (typeof ENDS)[number]

/** M3: signals are emitted in transactions of callers, all of which roll back in one way or another but those that commit. */
export const scenario = defineScenario({
  id: "M3",
  title: "emit in the caller's transaction, then rollback",
  invariants: ["I1", "I2", "I3", "I4", "I9"],
  run: async (stage) => {
    const rounds = stage.sized(10, 500)
    const database = await stage.postgres()
    const fleet = await stage.fleet({ database })
    await fleet.tenants.provision("acme")
    await stage.worker({ database })
    await stage.tail(fleet, { name: "tail", tenant: "acme" })
    const heard = await listenTo(stage, database)
    const committed = new Set<string>()
    const phantom = new Set<string>()
    for (let round = 0; round < rounds; round++) {
      for (const end of ENDS) {
        const ids = await emitWithin(fleet, database, await stage.ledger(), end, round)
        for (const id of ids) (end === "commit" ? committed : phantom).add(id)
      }
    }
    await fleet.drain()
    await until(() => [...committed].every((id) => heard.has(id)), {
      withinMs: 20_000,
      what: "all that was committed is heard of",
    })
    await expectOnly(database, await stage.ledger(), committed)
    const loud = [...phantom].find((id) => heard.has(id))
    if (loud !== undefined) throw new Error(`expected no notification of what was rolled back, got one of ${loud}`)
    const figures = await stage.check(scenario.invariants)
    return { ...figures, committed: committed.size, rolledBack: phantom.size }
  },
})

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

/** The ids in all notifications of the server from now on. */
async function listenTo(stage: Stage, { url }: FaultPostgres): Promise<ReadonlySet<string>> {
  const client = new Client({ connectionString: url, application_name: "faults-harness" })
  const ids = new Set<string>()
  client
    .on("error", () => {})
    .on("notification", ({ payload = "" }) => {
      for (const id of payload.match(UUID) ?? []) ids.add(id)
    })
  await client.connect()
  stage.cleanup("a listener", () => client.end())
  await client.query(`listen ${CHANNEL}`)
  return ids
}

/** Emits three signals in a transaction, with the ledger around it, and ends that. Returns their ids. */
async function emitWithin(
  fleet: Fleet,
  { url }: FaultPostgres,
  ledger: Ledger,
  end: End,
  round: number,
): Promise<readonly string[]> {
  const facts = [0, 1, 2].map((n) => ({ type: "order.created", data: { end, round, n } }))
  const calls = facts.map((fact) => ({ ...fact, callId: crypto.randomUUID(), tenant: "acme", key: null }))
  await Promise.all(calls.map(({ data, ...call }) => ledger.callBegins({ ...call, hash: hashOf({ ...call, data }) })))
  const emitAll = (tx: JoinableTransaction): Promise<readonly string[]> => emitIn(fleet, tx, facts)
  const ids = await (end === "thrown" ? thrownWithin(fleet, emitAll) : clientWithin(url, end, emitAll))
  await Promise.all(
    calls.map(({ callId }, n) => {
      const stored = { outcome: "ok", signalId: ids[n] ?? "", inserted: true } as const
      return ledger.callEnded(callId, end === "commit" ? stored : { outcome: "failed" })
    }),
  )
  return ids
}

/** One by itself, the others at once. */
async function emitIn(
  fleet: Fleet,
  tx: JoinableTransaction,
  [first, ...others]: readonly { readonly type: string; readonly data: JsonObject }[],
): Promise<readonly string[]> {
  const tenant = fleet.tenant("acme")
  const { signal } = await tenant.emit(first?.type ?? "", first?.data, { tx })
  const more = await tenant.emitMany(others, { tx })
  return [signal.id, ...more.map((each) => each.signal.id)]
}

/** The fleet's own transaction, whose work throws. */
async function thrownWithin(
  fleet: Fleet,
  emitAll: (tx: JoinableTransaction) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  let ids: readonly string[] = []
  const failure = new Error("the caller changed its mind")
  const transaction = fleet.transaction(async (tx) => {
    ids = await emitAll(tx)
    throw failure
  })
  await transaction.catch((error: unknown) => {
    if (error !== failure) throw error
  })
  return ids
}

/** A transaction on a client of the caller's own. */
async function clientWithin(
  url: string,
  end: Exclude<End, "thrown">,
  emitAll: (tx: JoinableTransaction) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const client = new Client({ connectionString: url, application_name: "caller" })
  client.on("error", () => {})
  await client.connect()
  await client.query("begin")
  if (end === "savepoint") await client.query("savepoint before")
  const ids = await emitAll(client)
  await ENDINGS[end](client)
  await client.end()
  return ids
}

const ENDINGS: Readonly<Record<Exclude<End, "thrown">, (client: Client) => Promise<unknown>>> = {
  rollback: (client) => client.query("rollback"),
  savepoint: async (client) => {
    await client.query("rollback to savepoint before")
    await client.query("commit")
  },
  "failed statement": async (client) => {
    await client.query("select 1 / 0").catch(() => {})
    // Postgres makes a rollback of it.
    await client.query("commit")
  },
  "connection lost": (client) => client.query("select pg_terminate_backend(pg_backend_pid())").catch(() => {}),
  commit: (client) => client.query("commit"),
}

/** Rows, deliveries, calls of handlers: all of what was committed, and of nothing else. */
async function expectOnly({ query }: FaultPostgres, ledger: Ledger, committed: ReadonlySet<string>): Promise<void> {
  const places = {
    signals: query<{ id: string }>("select id from org_acme.signals"),
    attempts: query<{ id: string }>("select signal_id as id from org_acme.attempts"),
    invocations: ledger.query<{ id: string }>("select signal_id as id from invocations"),
  }
  for (const [place, rows] of Object.entries(places)) {
    const ids = new Set((await rows).map(({ id }) => id))
    const stranger = [...ids].find((id) => !committed.has(id))
    if (stranger !== undefined) throw new Error(`expected nothing of what was rolled back in ${place}, got ${stranger}`)
    if (ids.size !== committed.size)
      throw new Error(`expected all ${committed.size} that were committed in ${place}, got ${ids.size}`)
  }
}
