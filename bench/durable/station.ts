import type { Client as PgClient } from "pg"

/** What each event carries, about 100 bytes of JSON. */
export interface EventData {
  /** Its number within the run, from 0: so that each is known to have been handled once. */
  readonly n: number
  readonly tenant: string
  /** When its emit began, milliseconds of `now()`. Only where latency is measured. */
  readonly at?: number
  readonly order: string
  readonly items: number
  readonly total: number
}

/** What a library is opened with. */
export interface Setup {
  /** The database of this run, which is the run's own; Redis for those that keep their jobs there. */
  readonly url: string
  /** How many handlers each event has. */
  readonly handlers: number
  /** Slugs of the tenants. */
  readonly tenants: readonly string[]
  /** Whether each tenant has a schema of its own. Libraries without tenants do not care. */
  readonly placement: "own" | "shared"
  /** As the library comes, or as its documentation advises for what is measured. */
  readonly form: "defaults" | "tuned"
  /** What is measured, for those that are tuned for one at the cost of the other. */
  readonly goal: "throughput" | "latency"
  /** Whether this process runs handlers. They begin at once. */
  readonly works: boolean
  /** What every handler does: nothing else. */
  readonly onHandled: (handler: number, data: EventData) => void
}

/** A library at work in one process. */
export interface Station {
  /** Stores one event with a job for each handler. Resolves when both are committed. */
  readonly emit: (data: EventData) => Promise<unknown>
  /** The same for many, in as few transactions as the library allows. */
  readonly emitBatch: (events: readonly EventData[]) => Promise<unknown>
  /** Whether a job is left that was not settled. */
  readonly hasOpenJobs: () => Promise<boolean>
  /** Removes everything, for a library whose database is not the run's own. */
  readonly discard?: () => Promise<void>
  readonly close: () => Promise<void>
}

/** What each file of `contenders/` exports. */
export interface ContenderModule {
  readonly open: (setup: Setup) => Promise<Station>
}

/** Milliseconds, the same in all processes of the machine. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

/** Whether a query finds a row. */
export async function findsOne(client: PgClient, query: string): Promise<boolean> {
  const { rowCount } = await client.query(query)
  return rowCount !== 0
}

/** The names of so many handlers. */
export function handlerNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `handler_${index}`)
}
