import { randomUUID } from "node:crypto"
import { setTimeout as passed } from "node:timers/promises"
import type { Fleet } from "../../../src/fleet.ts"
import { isTransient } from "../../../src/store/transient.ts"
import { hashOf } from "../ledger/content.ts"
import type { Ledger } from "../ledger/ledger.ts"
import { errorText } from "../ledger/recorded-emit.ts"
import { startLoad } from "../load.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { recovery } from "../recovery.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"

/** D3: every tenth of a second a fifth of all connections is ended by the server, whatever they are doing. */
export const scenario = defineScenario({
  id: "D3",
  title: "pg_terminate_backend on 20 % each 100 ms",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"],
  run: async (stage) => {
    const leaseMs = stage.sized(4_000, 12_000)
    const database = await stage.postgres()
    const fleet = await stage.fleet({ database })
    for (const slug of ["acme", "probe"]) await fleet.tenants.provision(slug)
    const options = { database, fleet: { worker: { leaseMs } } }
    const load = { tenants: ["acme"], perSecond: stage.sized(60, 100), keyed: 0.5, duplicates: 0.1 }
    const worker = await stage.worker(options)
    const emitter = await stage.emitter({ ...options, load })
    await worker.tell("startLoad", load)
    await stage.tail(fleet, { name: "tail", tenant: "acme" })
    // Several keyed signals in one call go through a transaction of the engine's own.
    const batches = startLoad(fleet, await stage.ledger(), { ...load, batch: 5, keyed: 1, duplicates: 0 })
    const own = startTransactions(fleet, await stage.ledger())
    const endAt = performance.now() + stage.sized(6_000, 120_000)
    let terminated = 0
    while (performance.now() < endAt) {
      terminated += await database.terminateBackends(0.2)
      await passed(100)
    }
    const recovered = await recovery(stage, { fleet, processes: [worker, emitter], tenant: "probe" })
    await Promise.all([worker.tell("stopLoad"), emitter.tell("stopLoad"), batches.stop()])
    const transactions = await own.stop()
    await fleet.drain()
    await expectOnlyLostConnections(stage, [worker, emitter])
    const open = await database.query("select query from pg_stat_activity where state like 'idle in transaction%'")
    if (open.length > 0) throw new Error(`${open.length} connections were left in a transaction`)
    const figures = await stage.check(scenario.invariants, { leaseMs })
    return { ...figures, terminated, ...transactions, ...recovered }
  },
})

/** Two callers with transactions of their own: a third of these commits, a third is taken back, a third is aborted. */
function startTransactions(fleet: Fleet, ledger: Ledger) {
  const counts = { committed: 0, rolledBack: 0, lost: 0 }
  const over = new AbortController()
  const caller = async (): Promise<void> => {
    for (let n = 0; !over.signal.aborted; n++) {
      counts[await transact(fleet, ledger, n % 3)] += 1
      await passed(20)
    }
  }
  const callers = Promise.all([caller(), caller()])
  return {
    stop: async () => {
      over.abort()
      await callers
      if (counts.committed === 0) throw new Error("expected some transactions to get through, got none")
      return counts
    },
  }
}

class TakenBack extends Error {}

async function transact(fleet: Fleet, ledger: Ledger, kind: number): Promise<"committed" | "rolledBack" | "lost"> {
  const [type, data, callId] = ["order.created", { nonce: randomUUID() }, randomUUID()]
  await ledger.callBegins({ callId, tenant: "acme", type, key: null, hash: hashOf({ type, data }) })
  try {
    const signalId = await fleet.transaction(async (tx) => {
      const { signal } = await fleet.tenant("acme").emit(type, data, { tx })
      if (kind === 1) throw new TakenBack("the caller changed its mind")
      // Whoever gets this connection next must not find it in an aborted transaction.
      if (kind === 2) await tx.query("select 1 / 0")
      return signal.id
    })
    await ledger.callEnded(callId, { outcome: "ok", signalId, inserted: true })
    return "committed"
  } catch (error) {
    const isOpen = isTransient(error)
    await ledger.callEnded(callId, { outcome: isOpen ? "unknown" : "failed", error: errorText(error) })
    return isOpen ? "lost" : "rolledBack"
  }
}

/** What callers and the engine itself may be told: that a connection was lost, and nothing of transactions of others. */
const LOST = /^(database_(connection_lost|unreachable|busy)|57P0.)/
const MEANT = /^(22012: division by zero|the caller changed its mind)/

async function expectOnlyLostConnections(stage: Stage, processes: readonly FleetProcess[]): Promise<void> {
  const calls = await (await stage.ledger()).query<{ error: string }>("select error from calls where error is not null")
  const background = processes.flatMap(({ events }) => events.map(({ fields }) => String(fields["error"])))
  const errors = [...calls.map(({ error }) => error).filter((error) => !MEANT.test(error)), ...background]
  const other = errors.find((error) => !LOST.test(error))
  if (other !== undefined) throw new Error(`expected nothing worse than a lost connection to be told, got ${other}`)
}
