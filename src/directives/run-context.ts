import { emit } from "../emit/emit.ts"
import { whileAway } from "../emit/while-away.ts"
import { FleetPromptError } from "../errors.ts"
import type { RevealedSecrets } from "../guard/revealed.ts"
import { revealedGuard } from "../guard/revealed-guard.ts"
import type { HandlerCredentials, HandlerEmitOptions } from "../delivery/handler-definition.ts"
import type { JsonValue } from "../signal/json.ts"
import { type DirectiveRun, type HeldDirective, holdDirective, insertDirectiveStep } from "../store/directive-steps.ts"
import type { Transaction } from "../store/database.ts"
import { asTenant } from "../store/roles.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { takenOver } from "./directive-failure.ts"
import type { DirectiveContext, StepCall, StepOptions, TransactionCall } from "./directive.ts"
import type { RunnerDeps } from "./directives-deps.ts"
import type { RunPlan } from "./run-plan.ts"
import { attributesOf, RUNNER_SOURCE } from "./stage-signals.ts"
import type { StepBook } from "./step-book.ts"

/** What the context of one attempt is made of. */
export interface ContextDeps {
  readonly tenant: string
  readonly scope: TenantScope
  readonly plan: RunPlan
  readonly hops: number | undefined
  readonly key: () => DirectiveRun
  readonly book: StepBook
  readonly revealed: RevealedSecrets
  readonly signal: AbortSignal
  readonly deps: RunnerDeps
  /** A result as it is stored. */
  readonly clean: (value: unknown, name: string) => JsonValue
  readonly learn: (held: HeldDirective | undefined) => void
  readonly report: DirectiveContext["progress"]
}

/** How long the mark of a step that has ended is tried to be stored, milliseconds. */
const TRY_MS = 15_000
/** How long a transaction of a step may do nothing between two statements, milliseconds. */
const IDLE_MS = 60_000

/** What `run` is called with. */
export function contextOf(of: ContextDeps): DirectiveContext {
  const { tenant, plan, signal, report } = of
  const { id, type, actor, reason, correlationId, plan: said, attempt } = plan.record
  const calls = new Map<string, number>()
  return Object.freeze({
    id,
    type,
    tenant,
    actor,
    reason,
    correlationId,
    plan: said,
    attempt,
    signal,
    params: plan.params,
    credentials: credentialsFor(of),
    progress: report,
    emit: emitterOf(of, calls),
    step: stepsOf(of),
    transaction: transactionsOf(of, calls),
  })
}

function stepsOf(of: ContextDeps): DirectiveContext["step"] {
  return async <Result extends JsonValue | void>(
    name: string,
    work: (call: StepCall) => Promise<Result> | Result,
    options: StepOptions<Result> = {},
  ): Promise<Result> =>
    of.book.do(name, options, async (call) => {
      const result = of.clean(await work(call), `step ${name}`)
      await noteEnded(of, name, result)
      return result
    })
}

/** What was done is not done again because the database was away for a moment. */
async function noteEnded(of: ContextDeps, name: string, result: JsonValue): Promise<void> {
  const { scope, deps, plan, key } = of
  const step = { name, result, attempt: plan.record.attempt }
  const held = await whileAway(performance.now() + TRY_MS, () =>
    withinTenant(deps.database, scope, (tx) => insertDirectiveStep(tx, scope, key(), step)),
  )
  of.learn(held)
  if (!held) throw takenOver()
}

function transactionsOf(of: ContextDeps, calls: Map<string, number>): DirectiveContext["transaction"] {
  return async <Result extends JsonValue | void>(
    name: string,
    work: (tx: Transaction, call: TransactionCall) => Promise<Result>,
    options: StepOptions<Result> = {},
  ): Promise<Result> =>
    of.book.do(name, options, (call) =>
      of.deps.database.transaction(
        async (tx) => {
          const { scope, plan, key } = of
          if (!(await asTenant(tx, scope, () => holdDirective(tx, scope, key())))) throw lost(of)
          const result = of.clean(await work(tx, { ...call, emit: emitterOf(of, calls, tx) }), `step ${name}`)
          const step = { name, result, attempt: plan.record.attempt }
          const held = await asTenant(tx, scope, () => insertDirectiveStep(tx, scope, key(), step))
          if (!held) throw lost(of)
          return result
        },
        { idleMs: IDLE_MS, role: "login" },
      ),
    )
}

function lost({ learn }: ContextDeps): FleetPromptError {
  learn(undefined)
  return takenOver()
}

/** The key holds the directive, the type and the order of the call, so that an attempt that is repeated emits nothing twice. */
function emitterOf(of: ContextDeps, calls: Map<string, number>, tx?: Transaction): DirectiveContext["emit"] {
  return async (type: string, data: JsonValue, { subject, dedupeKey }: HandlerEmitOptions = {}) => {
    if (type.startsWith("directive."))
      throw new FleetPromptError(
        "directive_invalid",
        "expected a type of your own, those that begin with directive. are the runner's; choose another",
      )
    const call = (calls.get(type) ?? 0) + 1
    calls.set(type, call)
    const { tenant, plan, hops, revealed, deps } = of
    const { record } = plan
    const key = `job:${record.id}:${type}`
    const guards = revealed.isEmpty ? deps.guards : [revealedGuard(revealed), ...deps.guards]
    return emit(
      tenant,
      type,
      data,
      {
        ...(tx && { tx }),
        source: RUNNER_SOURCE,
        subject: subject ?? `directive:${record.id}`,
        dedupeKey: dedupeKey ?? (call === 1 ? key : `${key}:${call}`),
        ...(dedupeKey === undefined && { onConflict: "existing" as const }),
        ...attributesOf({ record, hops }, plan.startedSignalId),
      },
      { ...deps, guards },
    )
  }
}

/** Opens the tenant's credentials for one attempt, and remembers what is revealed of them, to be masked. */
export function credentialsFor({
  tenant,
  plan,
  revealed,
  deps,
}: Pick<ContextDeps, "tenant" | "plan" | "revealed" | "deps">): HandlerCredentials {
  const { id: directive, type, attempt, correlationId } = plan.record
  return {
    get: async (id) => {
      if (revealed.isOver) throw attemptOver()
      return deps.credentials.use(tenant, id, {
        actor: { kind: "system", id: `directive:${type}` },
        details: { directive, attempt },
        correlationId,
        onReveal: (secret) => {
          if (revealed.isOver) throw attemptOver()
          revealed.add(secret)
        },
      })
    },
  }
}

function attemptOver(): FleetPromptError {
  return new FleetPromptError(
    "credential_unusable",
    "expected a credential to be used within the attempt that got it, the attempt has ended; get it anew in each run",
  )
}
