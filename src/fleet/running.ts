import type { AuditChainer } from "../audit/audit-chainer.ts"
import type { LeaseKeeper } from "../delivery/lease-keeper.ts"
import type { Scheduler } from "../delivery/scheduler.ts"
import type { Worker } from "../delivery/worker.ts"
import type { Replayer } from "../emit/replay.ts"
import type { StrayDirectives } from "../directives/stray-directives.ts"
import type { Bindings } from "../packages/runtime/bindings.ts"
import type { PackageSchedules } from "../packages/runtime/package-schedules.ts"
import type { Announcer } from "../store/announcer.ts"
import type { OperationRunner } from "../tenants/operation-runner.ts"
import type { Callers } from "./callers.ts"

/** What of a fleet does something by itself. */
export interface Running {
  readonly worker: Worker
  readonly keeper: LeaseKeeper | undefined
  readonly replayer: Replayer
  readonly scheduler: Scheduler
  readonly operations: OperationRunner
  /** Undefined in a further database: the first one has them. */
  readonly callers: Callers | undefined
  readonly chainer: AuditChainer
  readonly announcer: Announcer
  readonly bindings: Bindings
  readonly strays: StrayDirectives
  readonly packageSchedules: PackageSchedules
  /** Hears no more of other processes. */
  readonly unlisten: () => Promise<void>
}

/** Lets everything begin; in a process without a worker only what each process needs. */
export async function begin(running: Running, hasWorker: boolean): Promise<void> {
  if (hasWorker) await beginWork(running)
  running.chainer.start()
  running.bindings.start()
}

async function beginWork({
  worker,
  keeper,
  replayer,
  scheduler,
  operations,
  strays,
  packageSchedules,
  unlisten,
}: Running): Promise<void> {
  await worker.start().catch(async (error: unknown) => {
    await unlisten()
    throw error
  })
  keeper?.start()
  replayer.start()
  scheduler.start()
  operations.start()
  strays.start()
  packageSchedules.start()
}

/** Ends everything. Returns how many deliveries were given back. */
export async function end(running: Running, endMigrations: () => Promise<void>, graceMs: number): Promise<number> {
  const {
    worker,
    keeper,
    replayer,
    scheduler,
    operations,
    callers,
    chainer,
    announcer,
    bindings,
    strays,
    packageSchedules,
    unlisten,
  } = running
  // Together, so that nothing is claimed while the others end.
  const others = [scheduler.stop(), replayer.stop(), endMigrations(), operations.stop()]
  const [released] = await Promise.all([worker.stop(graceMs), ...others])
  await keeper?.stop()
  await bindings.stop()
  await strays.stop()
  await packageSchedules.stop()
  await callers?.stop()
  await chainer.stop()
  await announcer.flushed()
  await unlisten()
  return released
}
