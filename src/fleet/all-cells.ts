import { countOpenDeliveries } from "../store/deliveries.ts"
import { readFleetStats } from "../store/queue-stats.ts"
import type { FleetStats, HandlerQueue, OldestSnapshot } from "../telemetry/fleet-stats.ts"
import type { Cells } from "./cells.ts"
import { checkHealth, type Health, type HealthCheck } from "./health.ts"

/** How many deliveries are to be done in all databases. @throws FleetPromptError `database_unreachable` when one is away */
export async function countAllOpen(cells: Cells): Promise<number> {
  const counts = await Promise.all(cells.all().map(({ parts }) => countOpenDeliveries(parts.database)))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** What is in the queues of all databases that can be reached, and how they are used together. */
export async function readAllStats(cells: Cells): Promise<FleetStats> {
  const all = await cells.ask(({ parts }) => readFleetStats(parts.database))
  return all.map(({ answer }) => answer).reduce(addStats)
}

function addStats(one: FleetStats, other: FleetStats): FleetStats {
  return {
    queue: addQueues([...one.queue, ...other.queue]),
    oldestSnapshot: older(one.oldestSnapshot, other.oldestSnapshot),
    pool: {
      total: one.pool.total + other.pool.total,
      idle: one.pool.idle + other.pool.idle,
      waiting: one.pool.waiting + other.pool.waiting,
    },
  }
}

function addQueues(queues: readonly HandlerQueue[]): readonly HandlerQueue[] {
  const byHandler = new Map<string, HandlerQueue>()
  for (const each of queues) {
    const so = byHandler.get(each.handler)
    byHandler.set(each.handler, so ? addQueue(so, each) : each)
  }
  return [...byHandler.values()].toSorted((one, other) => (one.handler < other.handler ? -1 : 1))
}

function addQueue(one: HandlerQueue, other: HandlerQueue): HandlerQueue {
  const ages = [one.oldestDueAgeMs, other.oldestDueAgeMs].filter((age) => age !== null)
  return {
    handler: one.handler,
    due: one.due + other.due,
    scheduled: one.scheduled + other.scheduled,
    running: one.running + other.running,
    oldestDueAgeMs: ages.length === 0 ? null : Math.max(...ages),
  }
}

/** Where one may not be seen nothing is said of both. */
function older(one: OldestSnapshot | null, other: OldestSnapshot | null): OldestSnapshot | null {
  if (one === null || other === null) return null
  return { ageMs: Math.max(one.ageMs, other.ageMs), transactions: Math.max(one.transactions, other.transactions) }
}

/** How a fleet and each of its databases stand. Only the first one decides whether the fleet is ready. */
export async function checkCellsHealth(cells: Cells | undefined, isStopping: boolean): Promise<Health> {
  const [, ...others] = cells?.names ?? []
  const [first, ...further] = await Promise.all([
    checkHealth(cells?.main.database, isStopping),
    ...others.map((name) => checkCell(name, cells)),
  ])
  return { ready: first.ready, checks: [...first.checks, ...further] }
}

async function checkCell(name: string, cells: Cells | undefined): Promise<HealthCheck> {
  const check = `database ${name}`
  const problem = cells?.problemOf(name)
  if (problem !== undefined)
    return { name: check, ok: false, detail: problem instanceof Error ? problem.message : "was never reached" }
  const { checks } = await checkHealth(cells?.get(name).database, false)
  return { name: check, ok: checks.every(({ ok }) => ok), detail: checks.at(-1)?.detail ?? "" }
}
