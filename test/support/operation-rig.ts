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

/** Takes operations over after a moment, and waits for no other process to learn something. */
export function operationProcess(database: Database): OperationProcess {
  const telemetry = new Telemetry()
  const worker = `operator-${++made}`
  const announcer = new Announcer({ database: database.hot, origin: worker, onOwn: () => {}, onError: () => {} })
  const deps = {
    database,
    placements: new Placements(database),
    announcer,
    telemetry,
    worker,
    migrations: tenantMigrations,
    settleMs: 1,
  }
  const runner = new OperationRunner({ ...deps, procedures, sweep: () => sweepKept(database), leaseMs: 60, pollMs: 20 })
  const door = () => ({ ...deps, wake: () => {} })
  return {
    tenants: openTenants(door),
    operations: openOperations(door),
    work: () => runner.start(),
    stop: async () => {
      await runner.stop()
      await announcer.flushed()
    },
  }
}

/** A database that is cut off after so many statements, as a process that is killed leaves it. */
export function mortalDatabase(database: Database, statements: number): { database: Database; died: Promise<string> } {
  let left = statements
  let die = (_at: string): void => {}
  const died = new Promise<string>((resolve) => (die = resolve))
  const mortal = interceptDatabase(database, ({ name, run }) => {
    if (left-- > 0) return run()
    die(name)
    return Promise.reject(new Error("this process was killed by the test"))
  })
  return { database: mortal, died }
}

/** Lets a process work on an operation that is cut off after so many statements, and another one end it. */
export async function killedAndTakenOver(
  database: Database,
  id: string,
  statements: number,
  between: (successor: OperationProcess) => Promise<void> = async () => {},
): Promise<{ readonly operation: OperationRecord; readonly diedAt: string | undefined }> {
  const { database: mortal, died } = mortalDatabase(database, statements)
  const [victim, successor] = [operationProcess(mortal), operationProcess(database)]
  victim.work()
  const ended = successor.operations.wait(id).then(() => undefined)
  const diedAt = await Promise.race([died, ended])
  await between(successor)
  successor.work()
  const operation = await successor.operations.wait(id)
  await Promise.all([victim.stop(), successor.stop()])
  return { operation, diedAt }
}
