import type { RevealedSecrets } from "../guard/revealed.ts"
import type { JsonValue } from "../signal/json.ts"
import {
  type DirectiveRun,
  type DirectiveStep,
  markStepUndone,
  selectDirectiveSteps,
} from "../store/directive-steps.ts"
import type { DirectiveRecord } from "../store/directives.ts"
import type { Queryable } from "../store/database.ts"
import { GrowingPause } from "../store/growing-pause.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { failureOf, timedOut } from "./directive-failure.ts"
import type { Directive, UndoContext } from "./directive.ts"
import type { StepBook, Undo } from "./step-book.ts"

/** What undoing works with. */
export interface UndoDeps {
  readonly run: DirectiveRun
  readonly scope: TenantScope
  readonly record: DirectiveRecord
  /** Undefined: nobody here knows how. */
  readonly definition: Directive | undefined
  /** Steps of the attempt that failed; undefined where this process did not run it. */
  readonly book: StepBook | undefined
  /** Finds the ways to undo steps that ended before. */
  readonly goThrough: (ended: ReadonlyMap<string, JsonValue>) => Promise<StepBook>
  readonly undoContext: (ended: ReadonlyMap<string, JsonValue>) => Omit<UndoContext, "key" | "signal">
  readonly revealed: RevealedSecrets
  /** Fires when the worker stops or has lost the delivery. */
  readonly abort: AbortSignal
  readonly statement: <Result>(run: (tx: Queryable) => Promise<Result>) => Promise<Result>
}

/** A step that could not be undone. */
interface UndoFailure {
  readonly step: string
  readonly message: string
}

/** Stands in the table of steps for the definition's own undo; no step can have this name. */
const OWN_UNDO = "$undo"
/** How often one step is tried to be undone. */
const TRIES = 3
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

/**
 * Undoes the steps of a directive that have ended, from the last to the first, then calls the definition's own undo.
 * Each is noted when it was undone, so that after a crash the rest follows. What cannot be undone is noted as well, and
 * keeps nothing else from being undone.
 *
 * @returns what could not be undone; undefined when another run has the directive.
 */
export async function undoSteps(deps: UndoDeps): Promise<{ readonly failures: readonly UndoFailure[] } | undefined> {
  const { statement, scope, record, definition } = deps
  const all = await statement((tx) => selectDirectiveSteps(tx, scope, record.id))
  const steps = all.filter(({ name }) => name !== OWN_UNDO)
  const ended = new Map(steps.map(({ name, result }) => [name, result]))
  const left = steps.filter(({ isUndone }) => !isUndone)
  const book = left.length === 0 ? undefined : (deps.book ?? (await deps.goThrough(ended)))
  for (const { name } of left.toReversed()) {
    const undo = book && wayBack(name, book, definition)
    if (undo && !(await undone(name, undo, deps))) return undefined
  }
  const { undo: own } = definition ?? {}
  const isOwnUndone = all.some(({ name, isUndone }) => name === OWN_UNDO && isUndone)
  if (own && !isOwnUndone && !(await undone(OWN_UNDO, (call) => own({ ...deps.undoContext(ended), ...call }), deps)))
    return undefined
  return { failures: failuresOf(await statement((tx) => selectDirectiveSteps(tx, scope, record.id))) }
}

function failuresOf(steps: readonly DirectiveStep[]): readonly UndoFailure[] {
  return steps.flatMap(({ name, undoError }) => (undoError === null ? [] : [{ step: name, message: undoError }]))
}

/** How a step is undone; undefined when there is nothing to be done for it. */
function wayBack(name: string, book: StepBook, definition: Directive | undefined): Undo | undefined {
  const undo = book.undos.get(name)
  if (undo || book.cameTo(name)) return undo
  return () => {
    throw new Error(
      definition
        ? "its run did not come to this step again, so nobody knows how it is undone"
        : "no definition of this type takes these params, so nobody knows how it is undone",
    )
  }
}

/** Undoes one step and notes it. @returns false when another run has the directive. */
async function undone(name: string, undo: Undo, deps: UndoDeps): Promise<boolean> {
  const { run, scope, record, statement } = deps
  const error = await tried(name, undo, deps)
  const mark = { name, error, attempt: record.attempt }
  return (await statement((tx) => markStepUndone(tx, scope, run, mark))) !== undefined
}

/** @returns why it could not be undone, or null. */
async function tried(name: string, undo: Undo, deps: UndoDeps): Promise<string | null> {
  const { abort, revealed } = deps
  const pause = new GrowingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
  for (let tries = 1; ; tries++) {
    abort.throwIfAborted()
    try {
      await inTime(name, undo, deps)
      return null
    } catch (error) {
      abort.throwIfAborted()
      if (tries === TRIES) return failureOf(error, revealed).message
      await pause.rest()
    }
  }
}

async function inTime(name: string, undo: Undo, { record, definition, abort }: UndoDeps): Promise<void> {
  const ms = definition?.timeoutMs ?? 0
  const late = new AbortController()
  const signal = AbortSignal.any([abort, late.signal])
  let onEnd = (): void => {}
  const ended = new Promise<never>((_, reject) => {
    onEnd = () => reject(signal.reason)
    signal.addEventListener("abort", onEnd)
  })
  const timer = setTimeout(() => late.abort(timedOut(record.type, ms)), Math.max(ms, 1))
  try {
    await Promise.race([(async () => undo({ key: `directive:${record.id}:undo:${name}`, signal }))(), ended])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener("abort", onEnd)
  }
}
