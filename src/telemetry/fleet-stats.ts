/** The deliveries of one handler that are in the queue, over all tenants. */
export interface HandlerQueue {
  readonly handler: string
  /** Those that could be run now. */
  readonly due: number
  /** Those whose time has not come: delayed, or waiting for their next attempt. */
  readonly scheduled: number
  /** Those that a worker holds. */
  readonly running: number
  /** How long the oldest of the due ones has been due, milliseconds. Null when none is. */
  readonly oldestDueAgeMs: number | null
}

/** What keeps the database from clearing away old versions of rows. */
export interface OldestSnapshot {
  /** Age of the oldest transaction that is open or prepared, milliseconds. 0 when there is none. */
  readonly ageMs: number
  /** How many transactions were begun since the oldest that is kept in sight, replication slots included. */
  readonly transactions: number
}

/** How a fleet's connections to the database are used. */
export interface PoolStats {
  /** Connections that are open. */
  readonly total: number
  /** Those of them that nobody uses at the moment. */
  readonly idle: number
  /** Statements and transactions that wait for one. */
  readonly waiting: number
}

/** What can be read of a fleet at a moment, besides what its events tell. */
export interface FleetStats {
  readonly queue: readonly HandlerQueue[]
  /** Null where the database's role may not see the transactions of others. */
  readonly oldestSnapshot: OldestSnapshot | null
  readonly pool: PoolStats
}
