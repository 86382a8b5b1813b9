import { FleetPromptError, isFleetPromptError } from "../../errors.ts"
import { Attempt, follow, type PreparedDispatch, runAttempt } from "../bus/bus-attempt.ts"
import { checkCount } from "../bus/bus-count.ts"
import { deliverToAll } from "../bus/bus-list-delivery.ts"
import { type Clock, MAX_TIMER_MS, systemClock } from "../clock.ts"
import type { DispatchContext } from "./dispatch-adapter.ts"
import { DispatchError } from "./dispatch-error.ts"
import type { Signal } from "../signal.ts"

/** Takes a signal itself. A rejection means that it did not arrive; what it returns besides is ignored. */
export type DispatchFunction<Context extends DispatchContext = DispatchContext> = (
  signal: Signal,
  context: Context,
) => unknown

/** Names an adapter, with the options that adapter reads. */
export interface AdapterDispatch {
  /** The adapter's name. */
  readonly to: string
  readonly [option: string]: unknown
}

/** Where a signal goes: to a function, through an adapter, or to several of these. */
export type Dispatch<Context extends DispatchContext = DispatchContext> =
  | DispatchFunction<Context>
  | AdapterDispatch
  | readonly Dispatch<Context>[]

/** A `DispatchAdapter` of any options. */
export interface AnyDispatchAdapter {
  readonly name: string
  readonly validate: (options: Readonly<Record<string, unknown>>) => unknown
  readonly deliver: (signal: Signal, options: never, context: DispatchContext) => Promise<void> | void
}

/** How a dispatcher is set up. */
export interface DispatcherOptions {
  /** The adapters it starts with. Default none; functions and lists need none. */
  readonly adapters?: readonly AnyDispatchAdapter[]
  /** Time for one signal to one target, milliseconds. Default 70,000, a little more than `http` takes with all its tries. */
  readonly timeoutMs?: number
  /** Another time for the adapters named here, milliseconds. */
  readonly timeoutsMs?: Readonly<Record<string, number>>
  /** How many targets of a list are served at once. Default 10. */
  readonly maxConcurrency?: number
  /** Most targets in one list, those of lists within it counted too. Default 1,000. */
  readonly maxTargets?: number
  /** Default: the platform's. */
  readonly clock?: Clock
}

/** How one signal is dispatched. */
export interface DispatchOptions {
  /** Ends it. */
  readonly abort?: AbortSignal
  /** What the targets are told as `attempt`. Default 1. */
  readonly attempt?: number
}

/** Hands signals on to functions, to adapters by name, and to lists of both. */
export interface Dispatcher {
  /**
   * Adds an adapter.
   *
   * @throws FleetPromptError `dispatch_invalid` when its name is malformed or taken
   */
  readonly register: (adapter: AnyDispatchAdapter) => void
  /** Whether there is an adapter of this name. */
  readonly has: (name: string) => boolean
  /**
   * Checks a dispatch once, so that nothing is left to check when signals come.
   *
   * @throws FleetPromptError `dispatch_invalid`
   */
  readonly prepare: <Context extends DispatchContext>(dispatch: Dispatch<Context>) => PreparedDispatch
  /**
   * Hands a signal on. The targets of a list are all tried, and their failures come as one error whose
   * `cause` is an AggregateError.
   *
   * @throws FleetPromptError `dispatch_invalid`, or what the target failed with; an error that is not
   * FleetPrompt's own is the `cause` of a `dispatch_failed`
   */
  readonly dispatch: (signal: Signal, dispatch: Dispatch | PreparedDispatch, options?: DispatchOptions) => Promise<void>
}

/** The default of `DispatcherOptions.timeoutMs`. */
const DEFAULT_TIMEOUT_MS = 70_000
const DEFAULT_MAX_CONCURRENCY = 10
const DEFAULT_MAX_TARGETS = 1_000
const ADAPTER_NAME = /^[a-z][a-z0-9_]*$/
const BUILT_IN: ReadonlySet<string> = new Set(["function", "list"])

/**
 * Makes a dispatcher.
 *
 * @throws FleetPromptError `dispatch_invalid` for an adapter with a malformed or double name,
 * `config_invalid` for another option
 * @example
 * const dispatcher = createDispatcher({ adapters: [smsAdapter] })
 * await dispatcher.dispatch(signal, [{ to: "sms", number: "+49 30 1234" }, (each) => console.log(each.type)])
 */
export function createDispatcher(options: DispatcherOptions = {}): Dispatcher {
  const settings = checkOptions(options)
  const adapters = new Map<string, AnyDispatchAdapter>()

  function register(adapter: AnyDispatchAdapter): void {
    checkAdapter(adapter, adapters)
    adapters.set(adapter.name, adapter)
  }

  function prepareOne(dispatch: unknown): PreparedDispatch {
    if (typeof dispatch === "function") {
      // What a function takes besides the signal is for its caller to know, who wrote it for this dispatcher.
      return preparedFunction(dispatch as DispatchFunction, settings)
    }
    if (typeof dispatch === "object" && dispatch !== null && "to" in dispatch) {
      // An object with `to` is all that AdapterDispatch asks for; `to` is looked up below, whatever it is.
      return preparedAdapter(dispatch as AdapterDispatch, adapters, settings)
    }
    throw invalid(`a function, an adapter such as { to: "http" }, or a list of these`, dispatch)
  }

  function prepare(dispatch: unknown): PreparedDispatch {
    if (!Array.isArray(dispatch)) return prepareOne(dispatch)
    // Infinity flattens lists within lists, however deep.
    const members: readonly unknown[] = dispatch.flat(Infinity)
    if (members.length === 0) throw invalid("at least one target in a list", dispatch)
    if (members.length > settings.maxTargets)
      throw invalid(`at most ${settings.maxTargets} targets in a list`, members.length)
    return preparedList(members.map(prepareOne), settings)
  }

  for (const adapter of options.adapters ?? []) register(adapter)
  return Object.freeze({
    register,
    has: (name: string) => adapters.has(name),
    prepare,
    dispatch: async (signal: Signal, dispatch: Dispatch | PreparedDispatch, how: DispatchOptions = {}) => {
      const prepared = isPrepared(dispatch) ? dispatch : prepare(dispatch)
      await dispatchOnce(signal, prepared, how, settings.clock)
    },
  })
}

type Settings = Required<Omit<DispatcherOptions, "adapters">>

function checkOptions(options: DispatcherOptions): Settings {
  const { timeoutMs, timeoutsMs = {}, maxConcurrency, maxTargets, clock = systemClock } = options
  for (const [name, ms] of Object.entries(timeoutsMs)) checkCount(`timeoutsMs.${name}`, ms, MAX_TIMER_MS)
  return {
    timeoutMs: checkCount("timeoutMs", timeoutMs ?? DEFAULT_TIMEOUT_MS, MAX_TIMER_MS),
    timeoutsMs,
    maxConcurrency: checkCount("maxConcurrency", maxConcurrency ?? DEFAULT_MAX_CONCURRENCY),
    maxTargets: checkCount("maxTargets", maxTargets ?? DEFAULT_MAX_TARGETS),
    clock,
  }
}

function checkAdapter(adapter: AnyDispatchAdapter, known: ReadonlyMap<string, AnyDispatchAdapter>): void {
  const { name, validate, deliver } = adapter
  if (typeof name !== "string" || !ADAPTER_NAME.test(name) || BUILT_IN.has(name))
    throw invalid(`an adapter's name of lower-case letters, digits and "_", other than "function" and "list"`, name)
  if (typeof validate !== "function" || typeof deliver !== "function")
    throw invalid(`the functions validate and deliver of the adapter "${name}"`, undefined)
  if (known.has(name)) throw invalid(`an adapter's name that is not taken`, name)
}

function preparedFunction(deliver: DispatchFunction, { timeoutMs }: Settings): PreparedDispatch {
  return Object.freeze({ kind: "function", name: deliver.name || "a function", timeoutMs, deliver })
}

function preparedAdapter(
  { to, ...options }: AdapterDispatch,
  adapters: ReadonlyMap<string, AnyDispatchAdapter>,
  settings: Settings,
): PreparedDispatch {
  const adapter = adapters.get(to)
  if (!adapter) {
    const known = [...adapters.keys()].join(", ") || "none"
    throw invalid(`the name of a registered adapter (there is ${known})`, to)
  }
  // What this adapter's own validate returned is what its deliver takes.
  const checked = adapter.validate(options) as never
  return Object.freeze({
    kind: "adapter",
    name: to,
    timeoutMs: settings.timeoutsMs[to] ?? settings.timeoutMs,
    deliver: (signal: Signal, context: DispatchContext) => adapter.deliver(signal, checked, context),
  })
}

function preparedList(members: readonly PreparedDispatch[], settings: Settings): PreparedDispatch {
  const rounds = Math.ceil(members.length / settings.maxConcurrency)
  const longest = Math.max(...members.map(({ timeoutMs }) => timeoutMs))
  return Object.freeze({
    kind: "list",
    name: `${members.length} targets`,
    // Each member has its own limit, so this one is only reached when they all use theirs up.
    timeoutMs: Math.min(rounds * longest + 1_000, MAX_TIMER_MS),
    deliver: (signal: Signal, context: DispatchContext) => deliverToAll(members, signal, context, settings),
  })
}

async function dispatchOnce(
  signal: Signal,
  prepared: PreparedDispatch,
  { abort, attempt = 1 }: DispatchOptions,
  clock: Clock,
): Promise<void> {
  abort?.throwIfAborted()
  const tried = new Attempt(attempt)
  const unfollow = abort && follow(abort, tried)
  try {
    await runAttempt(prepared, signal, tried, clock)
  } catch (error) {
    if (isFleetPromptError(error)) throw error
    throw new DispatchError("dispatch_failed", `expected ${prepared.name} to take the signal, but it failed`, {
      cause: error,
    })
  } finally {
    unfollow?.()
  }
}

function isPrepared(dispatch: Dispatch | PreparedDispatch): dispatch is PreparedDispatch {
  return typeof dispatch === "object" && !("to" in dispatch) && "deliver" in dispatch
}

function invalid(expected: string, came: unknown): FleetPromptError {
  const shown =
    typeof came === "string" ? JSON.stringify(came.slice(0, 60)) : typeof came === "number" ? came : typeof came
  return new FleetPromptError("dispatch_invalid", `expected ${expected}, got ${shown}`)
}
