import type { Announcer } from "../store/announcer.ts"
import type { Database, Transaction } from "../store/database.ts"
import type { Placements } from "../store/placements.ts"
import type { LeasedOperation } from "../store/tenant-operations.ts"
import type { JsonObject } from "../signal/json.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { Migration } from "../store/sql.ts"

/** What operations work with. */
export interface OperationDeps {
  readonly database: Database
  readonly placements: Placements
  readonly announcer: Pick<Announcer, "changed">
  readonly telemetry: Telemetry
  /** Names this process. */
  readonly worker: string
  /** The steps of a tenant's schema. */
  readonly migrations: readonly Migration[]
  /** How long to wait until no process goes by what it knew of a tenant, milliseconds. Default 2,500; tests with one process wait less. */
  readonly settleMs?: number
  /** The databases of the fleet. Default: there is this one. */
  readonly cells?: FleetCells
}

/** What works on one database of a fleet. */
export type CellDeps = Pick<OperationDeps, "database" | "placements" | "announcer">

/** The databases of a fleet. */
export interface FleetCells {
  /** The name of the one that the operation is in. */
  readonly here: string
  /** The names of all. */
  readonly names: readonly string[]
  /** @throws FleetPromptError `cell_unknown`, `database_unreachable` */
  readonly find: (name: string) => CellDeps
}

/** What a step is given. */
export interface StepContext extends OperationDeps {
  readonly operation: LeasedOperation
  /** Fires when the process is to stop, or the operation was taken over or cancelled. */
  readonly abort: AbortSignal
  /** Notes how far the step is. */
  readonly report: (done: number, total: number) => void
  /**
   * Keeps the lease within a transaction, so that what this commits is committed by whoever has it.
   *
   * @throws FleetPromptError `operation_ended` when another process has it
   */
  readonly holdWithin: (tx: Transaction) => Promise<void>
}

/** What a step came to. */
export type StepResult =
  /** On to the next step, or to the same one with another state. */
  | { readonly kind: "next"; readonly step: string; readonly state?: JsonObject; readonly dueInMs?: number }
  /** Nothing can be done yet. */
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "done"; readonly state?: JsonObject }

/** One step. Doing it twice must do no harm. */
export type Step = (context: StepContext) => Promise<StepResult>

/** How an operation of a kind goes. */
export interface Procedure {
  readonly first: string
  readonly steps: Readonly<Record<string, Step>>
  /** What takes back whatever was begun; done in place of a step that fails for good, or when it is cancelled. */
  readonly undo?: Step
  /** Steps after which nothing can be taken back. They go on, whatever anybody asks. */
  readonly final?: readonly string[]
}
