import type { Handler, HandlerContext, HandlerDefinition } from "../../../src/delivery/handler-definition.ts"
import { defineHandler } from "../../../src/delivery/handler.ts"
import { type HandlerResult, resultOf } from "../../../src/delivery/outcome.ts"
import type { JsonObject } from "../../../src/signal/json.ts"
import type { Invocation, InvocationOutcome, Ledger } from "../ledger/ledger.ts"
import { errorText } from "../ledger/recorded-emit.ts"

/** What a set of handlers works with, in whichever process. */
export interface HandlerTools {
  /** Undefined where the handlers are only looked at, for their names and patterns. */
  readonly ledger: Ledger | undefined
  /** The name of the fleet that runs them. */
  readonly workerName: () => string
  /** What the scenario gave with the set. */
  readonly options: JsonObject
  /**
   * Comes by a named point: tells the driver, waits there while it is held, dies there when that was asked for.
   *
   * @param about told to the driver with it
   */
  readonly pass: (point: string, about?: JsonObject) => Promise<void>
}

/** A named set of handlers: each file of this folder but this one exports one as `handlers`. */
export type HandlerSet = (tools: HandlerTools) => readonly Handler[]

/**
 * A handler whose every call is in the ledger: begun, then `run`, then its effect, then ended. It comes by the points
 * `<name>:begun` (nothing done yet) and `<name>:effect` (the effect is applied, nothing booked yet).
 */
export function recordedHandler(
  tools: HandlerTools,
  definition: Omit<HandlerDefinition, "run"> & { readonly run?: HandlerDefinition["run"] },
): Handler {
  return defineHandler({ ...definition, run: (context) => recordedRun(tools, definition, context) })
}

async function recordedRun(
  { ledger, workerName, pass }: HandlerTools,
  { name, run }: { readonly name: string; readonly run?: HandlerDefinition["run"] },
  context: HandlerContext,
): Promise<HandlerResult | void> {
  if (!ledger) throw new Error("expected a ledger in a process that runs handlers")
  const invocations = invocationsOf(context, name, workerName())
  const about = { signalId: context.signal.id, attempt: context.attempt, tenant: context.tenant }
  const ids = await Promise.all(invocations.map((each) => ledger.invocationBegins(each)))
  const note = (outcome: InvocationOutcome, error?: string): Promise<unknown> =>
    Promise.all(ids.map((id) => ledger.invocationEnded(id, outcome, error)))
  // It is asked for at once, so that it is heard of as soon as it fires.
  const { abort } = context
  const end = async (outcome: InvocationOutcome, error?: string): Promise<void> => {
    const wasAborted = abort.aborted
    await note(wasAborted ? "stopped" : outcome, error)
    // While the ledger wrote, the engine had not heard of the end, and gave the delivery back as one that goes on.
    if (!wasAborted && abort.aborted) await note("stopped", error)
  }
  try {
    await pass(`${name}:begun`, about)
    const result = await run?.(context)
    const kind = resultOf(result)?.kind
    if (kind === undefined) {
      await Promise.all(invocations.map((each) => ledger.effect(each)))
      await pass(`${name}:effect`, about)
    }
    await end(kind === "snooze" ? "snoozed" : kind === "cancel" ? "cancelled" : "returned")
    return result
  } catch (error) {
    await end("threw", errorText(error))
    throw error
  }
}

function invocationsOf(context: HandlerContext, handler: string, worker: string): readonly Invocation[] {
  return context.signals.map(({ id }, at) => ({
    tenant: context.tenant,
    signalId: id,
    handler,
    deliveryId: at === 0 ? context.deliveryId : `${id}:${handler}`,
    replayId: context.replay?.id ?? null,
    attempt: at === 0 ? context.attempt : null,
    worker,
  }))
}
