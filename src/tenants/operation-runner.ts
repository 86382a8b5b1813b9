import { setTimeout as sleep } from "node:timers/promises"
import { FleetPromptError, isFleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import {
  finishOperation,
  leaseOperations,
  type LeasedOperation,
  type OperationHolder,
  type OperationKind,
  type OperationRecord,
  prolongOperation,
  releaseAbandoned,
  releaseOperations,
  saveOperation,
  saveProgress,
} from "../store/tenant-operations.ts"
import { isTransient } from "../store/transient.ts"
import type { OperationDeps, Procedure, Step, StepContext, StepResult } from "./operation-step.ts"

/** What the runner works with. */
export interface RunnerDeps extends OperationDeps {
  readonly procedures: Readonly<Record<OperationKind, Procedure>>
  /** How long a process that went away keeps its operations, milliseconds. Default 15,000. */
  readonly leaseMs?: number
  /** Removes what operations left behind for a while and nobody needs any more. Is called now and then. */
  readonly sweep: () => Promise<void>
  /** How often to look for operations when nothing is announced, milliseconds. Default 5,000. */
  readonly pollMs?: number
}

const DEFAULT_LEASE_MS = 15_000
const DEFAULT_POLL_MS = 5_000
/** Operations that one process works on at once. */
const AT_ONCE = 4
/** How often a step is tried in a row, where its errors may go away by themselves. */
const MAX_ATTEMPTS = 30
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000
/** How often progress is written down, milliseconds. */
const PROGRESS_MS = 250
const UNDO = "undo"
/** How often it is looked for what may be removed, milliseconds. */
const SWEEP_MS = 60_000

/**
 * Carries out what is to be done to tenants, step by step.
 *
 * The row in `fleetprompt.tenant_operations` is the authority: it says which step comes next, and who works on it until
 * when, by the database's clock. A step may be done twice without harm, and what it commits that must not be repeated is
 * committed together with a look at the lease. So a process that went away is replaced when its lease ends, and the
 * other one begins with the step that was under way.
 */
export class OperationRunner {
  readonly #deps: RunnerDeps
  readonly #holder: OperationHolder
  readonly #running = new Map<string, Promise<void>>()
  readonly #halt = new AbortController()
  #nap = new AbortController()
  #loop: Promise<void> | undefined
  #taking: Promise<void> | undefined
  #releasedAt = Number.NEGATIVE_INFINITY

  constructor(deps: RunnerDeps) {
    this.#deps = deps
    this.#holder = { worker: deps.worker, leaseMs: deps.leaseMs ?? DEFAULT_LEASE_MS }
  }

  /** Begins to look for operations by itself. */
  start(): void {
    this.#loop ??= this.#work()
  }

  /** There may be something to take. Without `start`, it is taken as well: somebody here waits for it. */
  wake(): void {
    this.#nap.abort()
    if (!this.#loop && !this.#halt.signal.aborted) void this.#takeNow()
  }

  /** Another process tells that there may be something to take. */
  heard(): void {
    if (this.#loop) this.#nap.abort()
  }

  /** Ends the steps under way and gives the operations back. */
  async stop(): Promise<void> {
    this.#halt.abort()
    this.#nap.abort()
    await this.#loop
    await this.#taking
    await Promise.all(this.#running.values())
    await releaseOperations(this.#deps.database, this.#deps.worker).catch(this.#failed)
  }

  async #work(): Promise<void> {
    const { pollMs = DEFAULT_POLL_MS } = this.#deps
    let sweptAt = Number.NEGATIVE_INFINITY
    while (!this.#halt.signal.aborted) {
      this.#nap = new AbortController()
      await this.#takeNow()
      if (performance.now() - sweptAt > SWEEP_MS) {
        sweptAt = performance.now()
        await this.#deps.sweep().catch(this.#failed)
      }
      await nap(pollMs, this.#nap.signal)
    }
  }

  #takeNow(): Promise<void> {
    const taking = (this.#taking ?? Promise.resolve()).then(() => this.#take()).catch(this.#failed)
    this.#taking = taking
    return taking
  }

  async #take(): Promise<void> {
    const room = AT_ONCE - this.#running.size
    if (room === 0 || this.#halt.signal.aborted) return
    const { database } = this.#deps
    await this.#releaseAbandoned()
    for (const operation of await leaseOperations(database, this.#holder, room)) {
      const ended = this.#run(operation)
        .catch(this.#failed)
        .finally(() => {
          this.#running.delete(operation.id)
          if (this.#loop) this.wake()
        })
      this.#running.set(operation.id, ended)
    }
  }

  /** Nobody is silent for so long that it would have to be looked for more often than a lease lasts. */
  async #releaseAbandoned(): Promise<void> {
    const { leaseMs } = this.#holder
    if (performance.now() - this.#releasedAt < leaseMs) return
    this.#releasedAt = performance.now()
    await releaseAbandoned(this.#deps.database, 4 * leaseMs)
  }

  /** Does step after step until it ends, is taken over, or has to wait for long. */
  async #run(leased: LeasedOperation): Promise<void> {
    let operation: LeasedOperation | undefined = leased
    while (operation && !this.#halt.signal.aborted) operation = await this.#step(operation)
  }

  /** @returns the operation as it stands after the step; undefined when nothing is left for this process. */
  async #step(leased: LeasedOperation): Promise<LeasedOperation | undefined> {
    const { procedures, database } = this.#deps
    const procedure = procedures[leased.kind]
    const operation = await prolongOperation(database, leased, this.#holder.leaseMs)
    if (!operation) return undefined
    const isUndone = isUndoing(operation, procedure)
    const step = isUndone ? (procedure.undo ?? nothingToUndo) : procedure.steps[operation.step]
    if (!step) return this.#finish(operation, "failed", unknownStep(operation))
    try {
      const canEnd = !isUndone && !procedure.final?.includes(operation.step)
      const result = await this.#observed(operation, isUndone ? UNDO : operation.step, step, canEnd)
      return await this.#moved(operation, result, isUndone)
    } catch (error) {
      return this.#tripped(operation, procedure, error, isUndone)
    }
  }

  /** @param canEnd whether a cancellation ends the step. */
  async #observed(operation: LeasedOperation, name: string, step: Step, canEnd: boolean): Promise<StepResult> {
    const lost = new AbortController()
    const abort = AbortSignal.any([this.#halt.signal, lost.signal])
    const heart = setInterval(() => void this.#beat(operation, lost, canEnd), this.#holder.leaseMs / 3)
    let reported = 0
    const report = (done: number, total: number): void => {
      this.#tell(operation, name, "running", done, total)
      if (performance.now() - reported < PROGRESS_MS) return
      reported = performance.now()
      saveProgress(this.#deps.database, operation, done, total).catch(this.#failed)
    }
    const holdWithin: StepContext["holdWithin"] = async (tx) => {
      if (!(await prolongOperation(tx, operation, this.#holder.leaseMs))) throw takenOver(operation)
    }
    try {
      return await step({ ...this.#deps, operation, abort, report, holdWithin })
    } finally {
      clearInterval(heart)
    }
  }

  async #beat(operation: LeasedOperation, lost: AbortController, canEnd: boolean): Promise<void> {
    try {
      const held = await prolongOperation(this.#deps.database, operation, this.#holder.leaseMs)
      if (!held || (canEnd && held.cancelRequested)) lost.abort(takenOver(operation))
    } catch (error) {
      this.#failed(error)
    }
  }

  async #moved(
    operation: LeasedOperation,
    result: StepResult,
    isUndone: boolean,
  ): Promise<LeasedOperation | undefined> {
    const { database } = this.#deps
    switch (result.kind) {
      case "done":
        return this.#finish(
          operation,
          isUndone ? (operation.error ? "failed" : "cancelled") : "completed",
          isUndone ? operation.error : null,
          result.state,
        )
      case "wait": {
        await saveOperation(database, operation, { dueInMs: result.ms })
        return this.#later(result.ms)
      }
      case "next": {
        const { step, state, dueInMs = 0 } = result
        const stand = { step, ...(state && { state }), done: 0, total: 0, dueInMs }
        if (!(await saveOperation(database, operation, stand))) return undefined
        this.#tell(operation, step, "running", 0, 0)
        return dueInMs > 0 ? this.#later(dueInMs) : operation
      }
    }
  }

  /** A short wait is waited for, so that it goes on without a poll. */
  #later(ms: number): undefined {
    if (ms < (this.#deps.pollMs ?? DEFAULT_POLL_MS) || !this.#loop)
      void nap(ms + 1, this.#halt.signal).then(() => this.wake())
    return undefined
  }

  /** Errors that may go away are waited for; any other begins the undoing. */
  async #tripped(
    operation: LeasedOperation,
    procedure: Procedure,
    error: unknown,
    isUndone: boolean,
  ): Promise<LeasedOperation | undefined> {
    if (this.#halt.signal.aborted) return undefined
    // When it was cancelled it is still ours: the next look at it begins the undoing.
    if (isTaken(error)) return operation
    this.#failed(error)
    const { step } = operation
    const attempts = operation.attempts + 1
    if ((isTransient(error) && attempts < MAX_ATTEMPTS) || (isUndone && attempts < MAX_ATTEMPTS)) {
      const dueInMs = Math.min(FIRST_PAUSE_MS * 2 ** operation.attempts, LONGEST_PAUSE_MS)
      await saveOperation(this.#deps.database, operation, { dueInMs, attempts })
      return this.#later(dueInMs)
    }
    if (isUndone || !procedure.undo || procedure.final?.includes(step))
      return this.#finish(operation, "failed", failure(error))
    const saved = { step: UNDO, error: failure(error) }
    return (await saveOperation(this.#deps.database, operation, saved)) ? operation : undefined
  }

  async #finish(
    operation: LeasedOperation,
    status: "completed" | "cancelled" | "failed",
    error: JsonObject | null,
    state: JsonObject = {},
  ): Promise<undefined> {
    const ended = await finishOperation(this.#deps.database, operation, status, state, error)
    if (ended) this.#tell(ended, ended.step, status, ended.progress.done, ended.progress.total)
    this.#deps.announcer.changed({ tenants: true })
    return undefined
  }

  #tell(
    { id, tenant, kind }: OperationRecord,
    step: string,
    status: OperationRecord["status"],
    done: number,
    total: number,
  ): void {
    this.#deps.telemetry.tell("tenant.operation", { tenant, operationId: id, kind, step, status, done, total })
  }

  readonly #failed = (error: unknown): void => {
    this.#deps.telemetry.tell("background.failed", { step: "operation", error })
  }
}

/** Once it is being undone it stays so; a step that nothing can take back goes on to the end. */
function isUndoing({ step, cancelRequested }: LeasedOperation, procedure: Procedure): boolean {
  return step === UNDO || (cancelRequested && !procedure.final?.includes(step))
}

const nothingToUndo: Step = async () => ({ kind: "done" })

function unknownStep({ step, kind }: LeasedOperation): JsonObject {
  return { message: `this release knows no step ${step} of ${kind}; let the release that began it go on` }
}

function takenOver({ id }: LeasedOperation): FleetPromptError {
  return new FleetPromptError("operation_ended", `operation ${id} was taken over by another process, or cancelled`)
}

function isTaken(error: unknown): boolean {
  return isFleetPromptError(error) && error.code === "operation_ended"
}

const MAX_MESSAGE = 2_000

function failure(error: unknown): JsonObject {
  const message = error instanceof Error ? error.message : String(error)
  return { message: message.slice(0, MAX_MESSAGE), ...(isFleetPromptError(error) && { code: error.code }) }
}

/** Resolves after a while, or when the signal fires. */
async function nap(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
