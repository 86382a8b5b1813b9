import type { Handler, HandlerContext, HandlerDefinition } from "../../../src/delivery/handler-definition.ts"
import { defineHandler } from "../../../src/delivery/handler.ts"
import { cancel, type HandlerResult, snooze } from "../../../src/delivery/outcome.ts"
import type { Behaviour, FactData, Invocation, Ledger } from "./ledger.ts"
import type { Machine } from "./machine.ts"
import type { Trace } from "./trace.ts"
import { here } from "./virtual-time.ts"

/** Tried so often before a delivery is dead, by every handler here. */
export const ATTEMPTS = 3
/** How long an attempt may take. */
export const TIMEOUT_MS = 2_500
/** `narrow` runs so many at once in all processes. */
export const NARROW_LIMIT = 2
/** `rated` begins so many in each period, for each tenant. */
export const RATE = { limit: 3, perMs: 4_000 } as const

/** Types that the script emits; each has its handler. */
export const TYPES = ["plain", "parent", "ordered", "narrow", "batched", "debounced", "rated", "single"] as const

type Kind = (typeof TYPES)[number]

/** What differs between the handlers. `audit` runs on everything, the others on the type that begins with their name. */
const OPTIONS: Readonly<Record<Kind, Partial<HandlerDefinition>>> = {
  plain: {},
  parent: {},
  ordered: { ordered: "subject" },
  narrow: { concurrency: { global: NARROW_LIMIT } },
  batched: { batch: { size: 3, waitMs: 150 } },
  debounced: { debounce: { quietMs: 400, maxMs: 1_500 } },
  rated: { rateLimit: RATE },
  single: { concurrency: { perTenant: 2, perKey: 1 } },
}

/** Which handlers run on a type. */
export function handlersFor(type: string): readonly string[] {
  const own = TYPES.find((kind) => type.startsWith(`${kind}.`))
  return own === undefined ? ["audit"] : ["audit", own]
}

/** Who calls the handlers, and where it is noted. */
export interface HandlersDeps {
  readonly machine: Machine
  readonly version: number
  readonly ledger: Ledger
  readonly trace: Trace
}

/** The handlers of one process. */
export function simulationHandlers(deps: HandlersDeps): readonly Handler[] {
  const shared = {
    version: deps.version,
    timeoutMs: TIMEOUT_MS,
    retry: { attempts: ATTEMPTS, backoff: { firstMs: 200, longestMs: 900 }, when: isWorthRetrying },
  }
  const own = TYPES.map((kind) =>
    defineHandler({
      name: kind,
      on: `${kind}.**`,
      ...shared,
      ...OPTIONS[kind],
      run: (context) => observed(kind, context, deps, () => behave(kind, context, deps.ledger)),
    }),
  )
  const audit = defineHandler({
    name: "audit",
    on: "**",
    ...shared,
    run: (context) => observed("audit", context, deps, () => pause(1, 5)),
  })
  return [...own, audit]
}

function isWorthRetrying(error: unknown): boolean {
  return !(error instanceof Error && error.message === "fatal")
}

async function observed(
  handler: string,
  context: HandlerContext,
  { machine, ledger, trace }: HandlersDeps,
  run: () => Promise<HandlerResult | void>,
): Promise<HandlerResult | void> {
  const invocations = context.signals.map((signal): Invocation => {
    const { tenant, attempt } = context
    trace.note(`${machine.name} begins ${handler} ${signal.id} attempt ${attempt}`)
    const startedAt = now()
    const invocation = { worker: machine.name, tenant, signalId: signal.id, handler, attempt, startedAt }
    return { ...invocation, endedAt: undefined, result: undefined }
  })
  ledger.invocations.push(...invocations)
  const end = (result: Invocation["result"]): void => {
    for (const invocation of invocations) Object.assign(invocation, { endedAt: now(), result })
    trace.note(`${machine.name} ends ${handler} ${context.signal.id} attempt ${context.attempt}: ${result}`)
  }
  try {
    const returned = await run()
    end(returned ? (returned.kind === "snooze" ? "snoozed" : "cancelled") : "done")
    return returned
  } catch (error) {
    end("threw")
    throw error
  }
}

function now(): number {
  return here.getStore()?.time.elapsed ?? 0
}

async function behave(handler: string, context: HandlerContext, ledger: Ledger): Promise<HandlerResult | void> {
  const { signal, attempt } = context
  // Signals of these types are the script's.
  const { plan } = signal.data as FactData
  const behaviour: Behaviour = plan[attempt - 1] ?? "ok"
  if (handler === "parent") await emitChildren(context, ledger)
  await pause(1, 40)
  switch (behaviour) {
    case "ok":
      return undefined
    case "slow":
      return pause(500, 2_000)
    case "throw":
      throw new Error("as planned")
    case "fatal":
      throw new Error("fatal")
    case "hang":
      return new Promise(() => {})
    case "snooze":
      return ledger.snoozes(signal.id, handler) < 2 ? snooze(300) : undefined
    case "cancel":
      return cancel("as planned")
  }
}

/** Two of one type, whose keys the engine makes, and one under a key of its own. */
async function emitChildren({ tenant, signal, emit }: HandlerContext, ledger: Ledger): Promise<void> {
  const one = async (type: string, n: number, options: { readonly dedupeKey?: string } = {}): Promise<void> => {
    const child = { tenant, causeId: signal.id, handler: "parent", type: `${type} ${n}`, id: undefined }
    const at = ledger.children.push(child) - 1
    const emitted = await emit(type, { parent: signal.id, child: n, owner: tenant }, options)
    ledger.children[at] = { ...child, id: emitted.signal.id }
  }
  await one("child.made", 1)
  await one("child.made", 2)
  await one("child.named", 3, { dedupeKey: `named:${signal.id}` })
}

function pause(least: number, most: number): Promise<void> {
  const ms = least + Math.random() * (most - least)
  return new Promise((resolve) => void setTimeout(resolve, ms))
}
