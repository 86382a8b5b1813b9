import { setTimeout as wait } from "node:timers/promises"
import { Client } from "pg"

/** The name that the harness's own connections have, which no fault is meant for. */
const HARNESS = "faults-harness"

/** From when to when there was a transaction that did nothing, and whether it lasted. */
export interface IdleTime {
  readonly from: Date
  readonly to: Date
  readonly lasted: boolean
}

/**
 * Holds a transaction open that has a snapshot and a transaction id: nothing that is deleted meanwhile can be cleared
 * away, and nobody who reads in order sees what is stored meanwhile.
 */
export async function idleInTransaction(connectionString: string, forMs: number): Promise<IdleTime> {
  const client = new Client({ connectionString, application_name: HARNESS })
  let lasted = true
  client.on("error", () => (lasted = false))
  await client.connect()
  await client.query("begin isolation level repeatable read")
  await client.query("select pg_current_xact_id(), (select count(*) from fleetprompt.deliveries)")
  const from = new Date()
  await wait(forMs)
  const to = new Date()
  await client.query("rollback").catch(() => (lasted = false))
  await client.end().catch(() => {})
  return { from, to, lasted }
}
