import { defineHandler } from "../delivery/handler.ts"
import type { Handler, HandlerContext } from "../delivery/handler-definition.ts"
import { type Snooze, snooze } from "../delivery/outcome.ts"
import type { FanOutTarget } from "../emit/fan-out.ts"
import type { JsonValue } from "../signal/json.ts"
import { isUuid } from "../signal/id.ts"
import {
  appendDirectiveTrail,
  beginDirective,
  lockDirective,
  type LockedDirective,
} from "../store/directive-changes.ts"
import { type DirectiveRecord, selectDirective } from "../store/directives.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { isTransient } from "../store/transient.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { expired } from "./directive-failure.ts"
import { DirectiveRun } from "./directive-run.ts"
import { isType } from "./define-directive.ts"
import { type RunnerDeps, scopeOfDirectives } from "./directives-deps.ts"
import { endLocked, tellOutcome } from "./end-directive.ts"
import { type Read, readParams } from "./read-params.ts"
import type { RunPlan } from "./run-plan.ts"
import { tellStarted } from "./stage-signals.ts"

/** Name of the built-in handlers: it is followed by the type that each carries out. */
const DIRECTIVES = "fleetprompt.directives"
/** Signals that a directive is taken up on. */
const WAKING: ReadonlySet<string> = new Set(["directive.requested", "directive.approved", "directive.cancel_requested"])

/** Each directive has a timeout of its own. */
const TIMEOUT_MS = 2_147_483_647
/** Directives count their attempts themselves; these are those of the runner, which only the database can fail. */
const ATTEMPTS = 1_000
/** How long to wait while the database has trouble. */
const TROUBLE_MS = 1_000
/** How soon a process with the definition is looked for again, and how long. */
const ELSEWHERE_MS = 2_000
export const ELSEWHERE_PATIENCE_MS = 3_600_000

/** What the names of all directives' handlers begin with. */
export const DIRECTIVE_HANDLERS = `${DIRECTIVES}.`

/** The name under which the directives of a type wait, so that none but processes that know it take them. */
export function directiveHandlerName(type: string): string {
  return `${DIRECTIVE_HANDLERS}${type}`
}

/** The built-in handler of one type: carries a tenant's directives out, each one by itself. */
export function directiveHandler(type: string, deps: () => RunnerDeps): Handler {
  // The name of a handler is shorter than that of a type may be: it is put in behind the check.
  return Object.freeze({ ...runner(deps), name: directiveHandlerName(type) })
}

/** Where the signals of directives lead, also those whose type this process does not know. */
export function directiveRoute(): FanOutTarget {
  const nowhere = (): never => {
    throw new Error("a route is not run")
  }
  return { ...runner(nowhere), nameFor: ({ data }) => directiveHandlerName(toldOf(data)?.type ?? "") }
}

function runner(deps: () => RunnerDeps): Handler {
  return defineHandler({
    name: DIRECTIVES,
    on: "directive.*",
    where: ({ type, data }) => WAKING.has(type) && toldOf(data) !== undefined,
    key: ({ data }) => toldOf(data)?.id ?? "",
    concurrency: { perKey: 1 },
    timeoutMs: TIMEOUT_MS,
    retry: { attempts: ATTEMPTS, backoff: { firstMs: 500, longestMs: 30_000 } },
    replay: "skip" as const,
    run: (context: HandlerContext) => takeUp(context, deps()),
  })
}

/** Which directive a signal is about. */
interface Told {
  readonly id: string
  readonly type: string
}

function toldOf(data: JsonValue): Told | undefined {
  if (typeof data !== "object" || data === null || !("directive_id" in data)) return undefined
  const { directive_id: id, directive_type: type } = data
  return typeof id === "string" && isUuid(id) && isType(type) ? { id, type } : undefined
}

/** What is to be done about a directive just now. */
type TakenUp =
  /** Nothing, or nothing any more. */
  | { readonly kind: "over"; readonly ended?: DirectiveRecord }
  /** Nothing yet. */
  | { readonly kind: "later"; readonly ms: number }
  | { readonly kind: "run"; readonly plan: RunPlan }

/**
 * Takes a directive up on a signal. Whatever the signal says, the row decides: a signal that somebody makes up does no
 * more than to have it looked at.
 */
async function takeUp(context: HandlerContext, deps: RunnerDeps): Promise<Snooze | undefined> {
  const told = toldOf(context.signal.data)
  if (!told) return undefined
  try {
    const scope = await scopeOfDirectives(context.tenant, deps)
    const taken = await beginOrFail(context, scope, told, deps)
    switch (taken.kind) {
      case "over":
        if (taken.ended) tellOutcome(deps.telemetry, context.tenant, taken.ended)
        return undefined
      case "later":
        return snooze(Math.ceil(taken.ms) + 1)
      case "run": {
        const run = new DirectiveRun(context, scope, taken.plan, deps)
        const againInMs = await run.carryOut()
        return againInMs === undefined ? undefined : snooze(againInMs)
      }
    }
  } catch (error) {
    if (context.abort.aborted || !isTransient(error)) throw error
    deps.telemetry.tell("background.failed", { step: "directive", error })
    return snooze(TROUBLE_MS)
  }
}

/**
 * What its definition cannot say of its start, it cannot be begun with: it then begins without its domain's own signal,
 * to fail at once.
 */
async function beginOrFail(
  context: HandlerContext,
  scope: TenantScope,
  told: Told,
  deps: RunnerDeps,
): Promise<TakenUp> {
  try {
    return await begin(context, scope, told, deps)
  } catch (error) {
    if (context.abort.aborted || isTransient(error)) throw error
    return begin(context, scope, told, deps, error)
  }
}

async function begin(
  context: HandlerContext,
  scope: TenantScope,
  { id, type }: Told,
  deps: RunnerDeps,
  problem?: unknown,
): Promise<TakenUp> {
  const found = await withinTenant(deps.database, scope, (tx) => selectDirective(tx, scope, id))
  // One that is called by another type has a place of its own, where it is run once at a time.
  if (found?.type !== type) return { kind: "over" }
  // What the schema makes of the params is asked before the transaction: it may take its time.
  const known = await readParams(found, deps.directives.definitions)
  const read = problem === undefined ? known : { ...known, definition: undefined, problem }
  return withinTenant(deps.database, scope, async (tx): Promise<TakenUp> => {
    const locked = await lockDirective(tx, scope, id)
    if (!locked || hasEnded(locked.record)) return { kind: "over" }
    const { record } = locked
    const telling = { tx, tenant: scope.slug, record, ...read, hops: context.signal.metadata.hops, deps }
    if (record.status === "requested") {
      if (isExpired(locked)) {
        const outcome = { status: "cancelled", failure: expired } as const
        return { kind: "over", ended: await endLocked(telling, scope, locked, outcome) }
      }
      const waiting = waitingFor(locked)
      if (waiting) return waiting
    }
    const elsewhere = isElsewhere(locked, read)
    if (elsewhere) return { kind: "later", ms: ELSEWHERE_MS }
    const begun = await beginDirective(tx, scope, id, locked.failures + context.attempt)
    const startedSignalId = record.status === "running" ? locked.startedSignalId : await start(begun.record)
    return {
      kind: "run",
      plan: { ...read, ...begun, wasRunning: record.status === "running", locked, startedSignalId },
    }

    async function start(now: DirectiveRecord): Promise<string | null> {
      const told = await tellStarted({ ...telling, record: now }, locked as LockedDirective)
      await appendDirectiveTrail(tx, scope, id, told)
      return told.started ?? null
    }
  })
}

function hasEnded({ status }: DirectiveRecord): boolean {
  return status !== "requested" && status !== "running"
}

function isExpired({ expiresInMs }: LockedDirective): boolean {
  return expiresInMs !== null && expiresInMs <= 0
}

/** One that waits for an approval is taken up again by that, or when it expires. */
function waitingFor({ record, dueInMs, expiresInMs }: LockedDirective): TakenUp | undefined {
  const waitsForApproval = record.approval === "waiting"
  if (waitsForApproval) return expiresInMs === null ? { kind: "over" } : { kind: "later", ms: expiresInMs }
  return dueInMs > 0 ? { kind: "later", ms: Math.min(dueInMs, expiresInMs ?? Number.POSITIVE_INFINITY) } : undefined
}

/** It waited long under its name, so this process looked at it: others may yet come that define it. */
function isElsewhere({ idleMs }: LockedDirective, { definition, problem }: Read): boolean {
  return definition === undefined && problem === undefined && idleMs < ELSEWHERE_PATIENCE_MS
}
