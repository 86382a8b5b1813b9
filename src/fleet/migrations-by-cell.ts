import type { RunCounts, VersionCount } from "../store/migration-runs.ts"
import { ALL } from "../store/pauses.ts"
import {
  type MigrationListOptions,
  type Migrations,
  type MigrationState,
  openMigrations,
} from "../tenants/migrations/migrations-door.ts"
import { atHome } from "./at-home.ts"
import type { Cells } from "./cells.ts"

/** Does something at the door of the database where a tenant is, or of all of them. */
type Asked = <Result>(
  tenant: string | undefined,
  run: (door: Migrations) => Promise<Result>,
) => Promise<readonly Result[]>

/** The migrations of a fleet: each database has its own ledger, and carries out its own. */
export function openMigrationsByCell(running: () => Cells): Migrations {
  const doorOf = (cell: string): Migrations => openMigrations(() => running().get(cell).requestDeps)
  const ofOne = async <Result>(tenant: string, run: (door: Migrations) => Promise<Result>): Promise<Result[]> => [
    await atHome(running(), tenant, (cell) => run(doorOf(cell))),
  ]
  /** Of those that can be reached. */
  const asked: Asked = async (tenant, run) => {
    if (tenant !== undefined && tenant !== ALL) return ofOne(tenant, run)
    return (await running().ask(({ name }) => run(doorOf(name)))).map(({ answer }) => answer)
  }
  /** All of them, or none while one was never reached. */
  const told: Asked = async (tenant, run) => {
    if (tenant !== undefined && tenant !== ALL) return ofOne(tenant, run)
    const cells = running().all()
    return Promise.all(cells.map(({ name }) => run(doorOf(name))))
  }
  return Object.freeze({
    request: async (options) => sumOf(await told(options?.tenant, (door) => door.request(options))),
    status: async (options) => merged(await asked(options?.tenant, (door) => door.status(options))),
    list: async (options: MigrationListOptions = {}) => {
      const lists = await asked(options.tenant, (door) => door.list(options))
      const runs = lists.flat().toSorted((one, other) => (one.queuedAt < other.queuedAt ? 1 : -1))
      return lists.length === 1 ? lists.flat() : runs.slice(0, options.limit ?? DEFAULT_LIMIT)
    },
    retry: async (options) => sumOf(await told(options?.tenant, (door) => door.retry(options))),
    skip: async (tenant, decision) => (await told(tenant, (door) => door.skip(tenant, decision))).includes(true),
  } satisfies Migrations)
}

const DEFAULT_LIMIT = 100

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0)
}

/** How all stand together. */
function merged(states: readonly MigrationState[]): MigrationState {
  const [first] = states
  if (!first) throw new Error("a fleet has at least one database")
  if (states.length === 1) return first
  return {
    latest: first.latest,
    versions: mergedVersions(states.flatMap(({ versions }) => versions)),
    runs: states.map(({ runs }) => runs).reduce(mergedRuns),
    behind: sumOf(states.map(({ behind }) => behind)),
  }
}

function mergedVersions(counts: readonly VersionCount[]): readonly VersionCount[] {
  const byVersion = new Map<number, VersionCount>()
  for (const { version, tenants, quarantined } of counts) {
    const so = byVersion.get(version) ?? { version, tenants: 0, quarantined: 0 }
    byVersion.set(version, { version, tenants: so.tenants + tenants, quarantined: so.quarantined + quarantined })
  }
  return [...byVersion.values()].toSorted((one, other) => one.version - other.version)
}

/** Of the times the longer ones, since those of single runs are not known here. */
function mergedRuns(one: RunCounts, other: RunCounts): RunCounts {
  return {
    queued: one.queued + other.queued,
    running: one.running + other.running,
    completed: one.completed + other.completed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
    firstTime: one.firstTime + other.firstTime,
    p50Ms: longer(one.p50Ms, other.p50Ms),
    p95Ms: longer(one.p95Ms, other.p95Ms),
  }
}

function longer(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other)
}
