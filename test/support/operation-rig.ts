import { FleetPromptError } from "../../src/errors.ts"
import { Announcer } from "../../src/store/announcer.ts"
import type { Database } from "../../src/store/database.ts"
import { Placements } from "../../src/store/placements.ts"
import { tenantMigrations } from "../../src/store/sql.ts"
import type { OperationRecord } from "../../src/store/tenant-operations.ts"
import { Telemetry } from "../../src/telemetry/telemetry.ts"
import { OperationRunner } from "../../src/tenants/operation-runner.ts"
import { type FleetOperations, openOperations } from "../../src/tenants/operations.ts"
import { procedures, sweepKept } from "../../src/tenants/procedures.ts"
import { type FleetTenants, openTenants } from "../../src/tenants/tenants-door.ts"
import { interceptDatabase } from "./intercepted-database.ts"

/** A process that does nothing but what is to be done to tenants. */
export interface OperationProcess {
  readonly tenants: FleetTenants
  readonly operations: FleetOperations
  /** Takes what there is. */
  readonly work: () => void
  readonly stop: () => Promise<void>
}

let made = 0

/** The databases of a fleet, and the name of the one that has the operations. */
export interface RigCells {
  readonly here: string
  readonly databases: Readonly<Record<string, Database>>
}

/** Takes operations over after a moment, and waits for no other process to learn something. */
export function operationProcess(database: Database, cells?: RigCells): OperationProcess {
  const telemetry = new Telemetry()
  const worker = `operator-${++made}`
  const announcerOf = (on: Database) =>
    new Announcer({ database: on.hot, origin: worker, onOwn: () => {}, onError: () => {} })
  const announcer = announcerOf(database)
  const others = Object.entries(cells?.databases ?? {}).map(([name, on]) => {
    return [name, { database: on, placements: new Placements(on), announcer: announcerOf(on) }] as const
  })
  const find = (name: string) => {
    const found = others.find(([each]) => each === name)?.[1]
    if (!found) throw new FleetPromptError("cell_unknown", `expected a database of the rig, got ${name}`)
    return found
  }
  const deps = {
    database,
    placements: new Placements(database),
    announcer,
    telemetry,
    worker,
    migrations: tenantMigrations,
    settleMs: 1,
    ...(cells && { cells: { here: cells.here, names: others.map(([name]) => name), find } }),
  }
  const runner = new OperationRunner({ ...deps, procedures, sweep: () => sweepKept(database), leaseMs: 60, pollMs: 20 })
  const door = () => ({ ...deps, wake: () => {} })
  return {
    tenants: openTenants(door),
    operations: openOperations(door),
    work: () => runner.start(),
    stop: async () => {
      await runner.stop()
      await Promise.all([announcer.flushed(), ...others.map(([, other]) => other.announcer.flushed())])
    },
  }
}

/** A database that is cut off after so many statements, as a process that is killed leaves it. */
export function mortalDatabase(database: Database, statements: number): { database: Database; died: Promise<string> } {
  const { mortal, died } = mortality(statements)
  return { database: mortal(database), died }
}

/** Databases that are cut off together after so many statements. */
function mortality(statements: number) {
  let left = statements
  let die = (_at: string): void => {}
  const died = new Promise<string>((resolve) => (die = resolve))
  const mortal = (database: Database): Database =>
    interceptDatabase(database, ({ name, run }) => {
      if (left-- > 0) return run()
      die(name)
      return Promise.reject(new Error("this process was killed by the test"))
    })
  return { mortal, died }
}

/** Lets a process work on an operation that is cut off after so many statements, and another one end it. */
export async function killedAndTakenOver(
  database: Database,
  id: string,
  statements: number,
  between: (successor: OperationProcess) => Promise<void> = async () => {},
  cells?: RigCells,
): Promise<{ readonly operation: OperationRecord; readonly diedAt: string | undefined }> {
  const { mortal, died } = mortality(statements)
  const itsCells = cells && {
    here: cells.here,
    databases: Object.fromEntries(Object.entries(cells.databases).map(([name, each]) => [name, mortal(each)])),
  }
  const [victim, successor] = [operationProcess(mortal(database), itsCells), operationProcess(database, cells)]
  victim.work()
  const ended = successor.operations.wait(id).then(() => undefined)
  const diedAt = await Promise.race([died, ended])
  await between(successor)
  successor.work()
  const operation = await successor.operations.wait(id)
  await Promise.all([victim.stop(), successor.stop()])
  return { operation, diedAt }
}
