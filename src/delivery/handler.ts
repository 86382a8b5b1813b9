import { FleetPromptError } from "../errors.ts"
import type { JsonValue } from "../signal/json.ts"
import { compilePattern, type CompiledPattern } from "../signal/pattern.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"

/** What a handler may say about a signal it emits. */
export interface HandlerEmitOptions {
  /** What it is about, for example `repository:octokit/webhooks`. Default: the subject of the signal being handled. */
  readonly subject?: string
  /**
   * The key under which the tenant has this fact once. Default `job:<delivery>:<type>`, with a
   * number for the second and later signals of one type in a run: so a retried run emits nothing twice.
   */
  readonly dedupeKey?: string
}

/** What came of an emit: the stored signal, and whether this call stored it. */
export interface Emitted {
  readonly signal: StoredSignal
  /** False when the tenant had this fact already; the signal is then the stored one, and nothing was enqueued. */
  readonly inserted: boolean
}

/** What a handler is called with. */
export interface HandlerContext<Data = JsonValue> {
  /** The signal that this delivery is for. */
  readonly signal: StoredSignal<Data>
  /** Slug of the signal's tenant. */
  readonly tenant: string
  /** Names the delivery, the same in each attempt: the idempotency key for effects outside. */
  readonly deliveryId: string
  /** 1 for the first try. */
  readonly attempt: number
  /** Fires when the attempt timed out, was taken over by another worker, or the worker stops. */
  readonly abort: AbortSignal
  /** Emits a signal for the same tenant, caused by `signal`, in its correlation. */
  readonly emit: (type: string, data: JsonValue, options?: HandlerEmitOptions) => Promise<Emitted>
}

/** Named code on a pattern of signal types. */
export interface HandlerDefinition<Data = JsonValue> {
  /** Unique in the fleet; letters, digits, `_`, `-` and dots, at most 100 characters: `triage.label`. Deliveries carry it, so it must not change between releases. */
  readonly name: string
  /** Pattern of the signal types it runs on: `github.issues.opened`, `github.**`. */
  readonly on: string
  /**
   * A further condition, asked when the signal is stored. When it throws, the delivery is made all
   * the same, and the worker asks again: the error is then seen as a failed attempt.
   */
  readonly where?: (signal: StoredSignal<Data>) => boolean
  /** How often it is tried before the delivery is dead. Default 5. */
  readonly maxAttempts?: number
  /** How long one attempt may take, milliseconds. Default 60,000. */
  readonly timeoutMs?: number
  /** Does the work. A thrown error or rejected promise fails the attempt. */
  readonly run: (context: HandlerContext<Data>) => Promise<void> | void
}

/** A checked definition, with its defaults filled in. */
export interface Handler {
  readonly name: string
  readonly on: CompiledPattern
  readonly where: ((signal: StoredSignal<JsonValue>) => boolean) | undefined
  readonly maxAttempts: number
  readonly timeoutMs: number
  readonly run: (context: HandlerContext) => Promise<void> | void
}

const NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/
const MAX_NAME = 100
const DEFAULT_MAX_ATTEMPTS = 5
const DEFAULT_TIMEOUT_MS = 60_000
/** setTimeout fires at once beyond this. */
const MAX_TIMEOUT_MS = 2_147_483_647

/**
 * Checks a handler's definition.
 *
 * @throws FleetPromptError `handler_invalid`, `pattern_invalid`
 * @example
 * const label = defineHandler({
 *   name: "triage.label",
 *   on: "triage.requested",
 *   run: async ({ signal, emit }) => {
 *     await emit("triage.labelled", { labels: ["bug"] })
 *   },
 * })
 */
export function defineHandler<Data = JsonValue>(definition: HandlerDefinition<Data>): Handler {
  const { name, on, where, run, maxAttempts = DEFAULT_MAX_ATTEMPTS, timeoutMs = DEFAULT_TIMEOUT_MS } = definition
  if (typeof name !== "string" || name.length > MAX_NAME || !NAME.test(name)) {
    throw invalid(
      `expected a name such as "triage.label" of at most ${MAX_NAME} characters, got ${JSON.stringify(name)}`,
    )
  }
  if (typeof run !== "function") throw invalid(`expected a function as run of handler ${name}, got ${typeof run}`)
  if (where !== undefined && typeof where !== "function")
    throw invalid(`expected a function as where of handler ${name}, got ${typeof where}`)
  checkInteger(name, "maxAttempts", maxAttempts, 1_000)
  checkInteger(name, "timeoutMs", timeoutMs, MAX_TIMEOUT_MS)
  // The signal's data has the type the user gave for this pattern; nothing at run time could tell otherwise.
  return Object.freeze({ name, on: compilePattern(on), where, maxAttempts, timeoutMs, run }) as unknown as Handler
}

function checkInteger(name: string, option: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return
  throw invalid(`expected a whole number from 1 to ${max} as ${option} of handler ${name}, got ${String(value)}`)
}

function invalid(message: string): FleetPromptError {
  return new FleetPromptError("handler_invalid", message)
}
