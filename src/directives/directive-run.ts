import type { HandlerContext } from "../delivery/handler-definition.ts"
import { maskThrown } from "../delivery/mask-thrown.ts"
import { whileAway } from "../emit/while-away.ts"
import { RevealedSecrets } from "../guard/revealed.ts"
import { redactValue } from "../guard/redact.ts"
import type { JsonValue } from "../signal/json.ts"
import {
  type DirectiveRun as RunKey,
  type HeldDirective,
  noteDirectiveEnding,
  noteDirectiveFailure,
  selectDirectiveSteps,
  selectHeldDirective,
} from "../store/directive-steps.ts"
import { lockDirective, type LockedDirective } from "../store/directive-changes.ts"
import type { DirectiveRecord } from "../store/directives.ts"
import type { Queryable } from "../store/database.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { isTransient } from "../store/transient.ts"
import { withinTenant } from "../store/within-tenant.ts"
import {
  cancelled,
  failureOf,
  takenOver,
  timedOut,
  toBeCancelled,
  undefinedType,
  workerLost,
} from "./directive-failure.ts"
import { storable } from "./directive-params.ts"
import type { Directive, DirectiveFailure, UndoContext } from "./directive.ts"
import type { RunnerDeps } from "./directives-deps.ts"
import { type DirectiveOutcome, endLocked, tellOutcome } from "./end-directive.ts"
import { Progress } from "./progress.ts"
import { contextOf, credentialsFor } from "./run-context.ts"
import { RunEnd } from "./run-end.ts"
import type { RunPlan } from "./run-plan.ts"
import type { Telling } from "./stage-signals.ts"
import { StepBook } from "./step-book.ts"
import { undoSteps } from "./undo-steps.ts"

/** How often a run asks whether it is to end, milliseconds. */
const LOOK_MS = 1_000
/** A run that has lost its directive has it looked at once more: it may have ended unheard, milliseconds. */
const LOST_MS = 1_000
/** How long a run's own statements are tried while the database is away, milliseconds. */
const TRY_MS = 15_000

/**
 * One attempt at a directive.
 *
 * The row is the authority. An attempt takes it with a token that grows; whoever shows an old one writes nothing, so a
 * run that was taken over, or goes on after its timeout, books neither steps nor an end. Steps stand in their table as
 * soon as they have ended. Once `ending` is set, an attempt only undoes: it goes through `run` to learn how the steps
 * that ended are undone, where it does not know from having run them itself.
 */
export class DirectiveRun {
  readonly #context: HandlerContext
  readonly #scope: TenantScope
  readonly #plan: RunPlan
  readonly #deps: RunnerDeps
  readonly #revealed = new RevealedSecrets()
  readonly #end = new RunEnd()
  #key: RunKey
  #cancel: HeldDirective | undefined
  #isLost = false
  /** Whether what the row says of the run is still of use. */
  #isListening = false
  #isLooking = false

  constructor(context: HandlerContext, scope: TenantScope, plan: RunPlan, deps: RunnerDeps) {
    this.#context = context
    this.#scope = scope
    this.#plan = plan
    this.#deps = deps
    this.#key = { id: plan.record.id, runToken: plan.runToken }
  }

  /** @returns after how many milliseconds there is to be another attempt; undefined when there is to be none. */
  async carryOut(): Promise<number | undefined> {
    const stop = (): void => this.#end.cut(this.#context.abort.reason)
    this.#context.abort.addEventListener("abort", stop)
    if (this.#context.abort.aborted) stop()
    try {
      if (!this.#plan.wasRunning) this.#tellStarted()
      return await this.#carryOut()
    } finally {
      this.#context.abort.removeEventListener("abort", stop)
      this.#revealed.end()
    }
  }

  async #carryOut(): Promise<number | undefined> {
    const { definition, problem, locked, wasRunning, record } = this.#plan
    const before = locked.record
    if (locked.ending) return this.#undo(locked.ending, storedFailure(before))
    if (problem !== undefined) return this.#endAs("failed", failureOf(problem), { error: problem })
    if (!definition) return this.#endAs("failed", undefinedType(record.type))
    if (before.cancelRequested) return this.#endAs("cancelled", cancelled(locked.cancelReason))
    if (wasRunning && record.attempt > definition.attempts)
      return this.#endAs("failed", workerLost(definition.attempts))
    return this.#attempt(definition)
  }

  async #attempt(definition: Directive): Promise<number | undefined> {
    const { tenant } = this.#context
    const { id, type } = this.#plan.record
    const steps = await this.#statement((tx) => selectDirectiveSteps(tx, this.#scope, id))
    const book = this.#book(new Map(steps.map(({ name, result }) => [name, result])), false)
    const unlist = this.#deps.directives.running.add(tenant, id, () =>
      this.#learn({ cancelRequested: true, cancelReason: null }),
    )
    const looking = setInterval(() => void this.#look(), LOOK_MS)
    const timer = setTimeout(() => this.#end.cut(timedOut(type, definition.timeoutMs)), definition.timeoutMs)
    const progress = new Progress(this.#deps.database, this.#scope, this.#key, (held) => this.#learn(held))
    this.#isListening = true
    try {
      const returned = await this.#end.untilCut(this.#call(definition, book, progress))
      await this.#end.untilCut(book.settled())
      await progress.flushed()
      this.#isListening = false
      return await this.#complete(returned, book)
    } catch (error) {
      this.#isListening = false
      progress.end()
      return await this.#failed(error, book, definition)
    } finally {
      clearInterval(looking)
      clearTimeout(timer)
      unlist()
      // What goes on all the same begins no step any more.
      this.#end.tell(takenOver())
    }
  }

  #book(ended: ReadonlyMap<string, JsonValue>, isUndoing: boolean): StepBook {
    const { id } = this.#plan.record
    return new StepBook({ ended, isUndoing, signal: this.#end.signal, keyOf: (name) => `directive:${id}:${name}` })
  }

  /** Calls the definition's `run`; a synchronous throw is a rejection like any other. */
  async #call({ run }: Directive, book: StepBook, progress: Progress | undefined): Promise<unknown> {
    return run(
      contextOf({
        tenant: this.#context.tenant,
        scope: this.#scope,
        plan: this.#plan,
        hops: this.#context.signal.metadata.hops,
        key: () => this.#key,
        book,
        revealed: this.#revealed,
        signal: this.#end.signal,
        deps: this.#deps,
        clean: (value, name) => this.#clean(value, name),
        learn: (held) => this.#learn(held),
        report: (done, total, text) =>
          progress?.report(done, total, text === undefined ? text : this.#revealed.maskStart(text)),
      }),
    )
  }

  /** What listeners get of what was thrown. */
  #told(thrown: unknown): unknown {
    return thrown === undefined ? undefined : maskThrown(thrown, this.#revealed)
  }

  /** A result as it is stored: JSON, without what was revealed and what looks like a secret. */
  #clean(value: unknown, name: string): JsonValue {
    return redactValue(this.#revealed.maskJson(storable(value, name)))
  }

  async #complete(returned: unknown, book: StepBook): Promise<number | undefined> {
    try {
      return await this.#endRow({ status: "completed", result: this.#clean(returned, "result") })
    } catch (error) {
      if (this.#context.abort.aborted || isTransient(error)) throw error
      // Its steps have ended, and what it answers cannot be kept or told: another attempt would not change that.
      return this.#endAs("failed", failureOf(error, this.#revealed), { book, error })
    }
  }

  async #failed(thrown: unknown, book: StepBook, definition: Directive): Promise<number | undefined> {
    // The steps beside the one that failed are told, and waited for.
    this.#end.tell(thrown instanceof Error ? thrown : takenOver())
    await this.#end.untilCut(book.settled()).catch(() => undefined)
    this.#context.abort.throwIfAborted()
    if (this.#isLost) return LOST_MS
    if (this.#cancel) {
      const held = await this.#statement((tx) => selectHeldDirective(tx, this.#scope, this.#key))
      return this.#endAs("cancelled", cancelled(held?.cancelReason ?? null), { book })
    }
    const failure = failureOf(thrown, this.#revealed)
    const { attempt } = this.#plan.record
    if (attempt >= definition.attempts || !isWorthRetrying(definition, thrown))
      return this.#endAs("failed", failure, { book, error: thrown })
    const isNoted = await this.#statement((tx) => noteDirectiveFailure(tx, this.#scope, this.#key, failure))
    if (!isNoted) return LOST_MS
    const retryInMs = definition.backoff(attempt, thrown)
    this.#deps.telemetry.tell("directive.attempt_failed", {
      ...this.#fields(),
      attempt,
      retryInMs,
      error: this.#told(thrown),
    })
    return retryInMs
  }

  /** Nothing leads back from here: it will fail, or be cancelled. */
  async #endAs(
    ending: "failed" | "cancelled",
    failure: DirectiveFailure,
    { book, error }: { readonly book?: StepBook; readonly error?: unknown } = {},
  ): Promise<number | undefined> {
    const key = await this.#statement((tx) => noteDirectiveEnding(tx, this.#scope, this.#key, ending, failure))
    if (!key) return LOST_MS
    this.#key = key
    return this.#undo(ending, failure, { ...(book && { book }), error })
  }

  /** Undoes what was done, from the last step to the first, and ends it. */
  async #undo(
    status: "failed" | "cancelled",
    failure: DirectiveFailure,
    { book, error }: { readonly book?: StepBook; readonly error?: unknown } = {},
  ): Promise<number | undefined> {
    const { definition, record } = this.#plan
    const undone = await undoSteps({
      run: this.#key,
      scope: this.#scope,
      record,
      definition,
      book,
      goThrough: (ended) => this.#goThrough(ended),
      undoContext: (ended) => this.#undoContext(ended),
      revealed: this.#revealed,
      abort: this.#context.abort,
      statement: (run) => this.#statement(run),
    })
    if (!undone) return LOST_MS
    const told = undone.failures.length === 0 ? failure : withUndo(failure, undone.failures)
    try {
      return await this.#endRow({ status, failure: told }, error)
    } catch (trouble) {
      if (this.#context.abort.aborted || isTransient(trouble)) throw trouble
      // What the definition says of its domain must not keep it from ending.
      const details = { ...told.details, trail: failureOf(trouble, this.#revealed).message }
      return this.#endRow({ status, failure: { ...told, details }, isPlain: true }, error)
    }
  }

  /** Goes through `run` without beginning anything, for the ways in which its steps are undone. */
  async #goThrough(ended: ReadonlyMap<string, JsonValue>): Promise<StepBook> {
    const book = this.#book(ended, true)
    const { definition } = this.#plan
    if (!definition) return book
    const timer = setTimeout(() => this.#end.cut(timedOut(definition.type, definition.timeoutMs)), definition.timeoutMs)
    await this.#end.untilCut(this.#call(definition, book, undefined)).catch(() => undefined)
    clearTimeout(timer)
    this.#context.abort.throwIfAborted()
    return book
  }

  #undoContext(ended: ReadonlyMap<string, JsonValue>): Omit<UndoContext, "key" | "signal"> {
    const { params, record } = this.#plan
    const { tenant } = this.#context
    const credentials = credentialsFor({ tenant, plan: this.#plan, revealed: this.#revealed, deps: this.#deps })
    return { id: record.id, type: record.type, tenant, params, steps: Object.fromEntries(ended), credentials }
  }

  /** Ends the row with its last signals, unless another run has it by now. */
  async #endRow(outcome: DirectiveOutcome, error?: unknown): Promise<number | undefined> {
    const { id } = this.#plan.record
    const ended = await this.#statement(async (tx) => {
      const locked = await lockDirective(tx, this.#scope, id)
      const isOurs = locked?.runToken === this.#key.runToken && locked.record.status === "running"
      return isOurs ? endLocked(this.#telling(tx, locked), this.#scope, locked, outcome) : undefined
    })
    if (!ended) return LOST_MS
    tellOutcome(this.#deps.telemetry, this.#context.tenant, ended, this.#told(error))
    return undefined
  }

  #telling(tx: Queryable, { record }: LockedDirective): Telling {
    const { definition, params } = this.#plan
    const { tenant, signal } = this.#context
    return { tx, tenant, record, definition, params, hops: signal.metadata.hops, deps: this.#deps }
  }

  /** A transaction of the run's own, tried again while the database is away. */
  #statement<Result>(run: (tx: Queryable) => Promise<Result>): Promise<Result> {
    return whileAway(performance.now() + TRY_MS, () => withinTenant(this.#deps.database, this.#scope, run))
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const run = (tx: Queryable) => selectHeldDirective(tx, this.#scope, this.#key)
      this.#learn(await withinTenant(this.#deps.database, this.#scope, run))
    } catch (error) {
      this.#deps.telemetry.tell("background.failed", { step: "directive", error })
    } finally {
      this.#isLooking = false
    }
  }

  /** What the row says of this run; undefined: another one has it. */
  #learn(held: HeldDirective | undefined): void {
    if (!this.#isListening) return
    if (!held) {
      this.#isLost = true
      this.#end.cut(takenOver())
    } else if (held.cancelRequested) {
      this.#cancel = held
      this.#end.tell(toBeCancelled())
    }
  }

  #tellStarted(): void {
    this.#deps.telemetry.tell("directive.started", { ...this.#fields(), attempt: this.#plan.record.attempt })
  }

  #fields() {
    const { id, type, correlationId, causationId } = this.#plan.record
    return { tenant: this.#context.tenant, directiveId: id, type, correlationId, causationId }
  }
}

/** A question that throws is answered with yes. */
function isWorthRetrying(definition: Directive, error: unknown): boolean {
  try {
    return definition.isWorthRetrying(error)
  } catch {
    return true
  }
}

function storedFailure({ errorKind, errorMessage, errorDetails }: DirectiveRecord): DirectiveFailure {
  return { kind: errorKind ?? "error", message: errorMessage ?? "", details: errorDetails }
}

function withUndo(failure: DirectiveFailure, undo: readonly { readonly step: string; readonly message: string }[]) {
  const listed = undo.map(({ step, message }) => ({ step, message }))
  return { ...failure, details: { ...failure.details, undo: listed } }
}
