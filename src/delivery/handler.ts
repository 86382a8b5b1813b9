import { createHash } from "node:crypto"
import { FleetPromptError } from "../errors.ts"
import type { JsonValue } from "../signal/json.ts"
import { compilePattern } from "../signal/pattern.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import { type Backoff, backoffMs } from "./backoff.ts"
import { MAX_DELAY_MS } from "./outcome.ts"
import type { FlowLimits, Handler, HandlerDefinition, RetryOptions } from "./handler-definition.ts"

const NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/
const MAX_NAME = 100
const DEFAULT_ATTEMPTS = 5
const DEFAULT_TIMEOUT_MS = 60_000
/** setTimeout fires at once beyond this. */
const MAX_TIMEOUT_MS = 2_147_483_647
const MAX_COUNT = 1_000_000
/** Longest key that is kept as it is; an index row of Postgres must hold it. */
const MAX_KEY = 200

/**
 * Checks a handler's definition.
 *
 * @throws FleetPromptError `handler_invalid`, `pattern_invalid`
 * @example
 * const label = defineHandler({
 *   name: "triage.label",
 *   on: "triage.requested",
 *   concurrency: { perTenant: 5 },
 *   retry: { attempts: 10 },
 *   run: async ({ signal, emit }) => {
 *     await emit("triage.labelled", { labels: ["bug"] })
 *   },
 * })
 */
export function defineHandler<Data = JsonValue>(definition: HandlerDefinition<Data>): Handler {
  // The signal's data has the type the user gave for this pattern; nothing at run time could tell otherwise.
  return checked(definition as unknown as HandlerDefinition)
}

/** Checks every option, so that nothing is wrong later, and fills in the defaults. */
function checked(definition: HandlerDefinition): Handler {
  const { name, on, version = 1, timeoutMs = DEFAULT_TIMEOUT_MS, retry = {}, batch } = definition
  checkName(name)
  checkShapes(name, definition)
  checkFunctions(name, definition)
  const check = (option: string, value: number, max: number, min = 1): void =>
    checkInteger(name, option, value, min, max)
  check("version", version, MAX_TIMEOUT_MS)
  check("timeoutMs", timeoutMs, MAX_TIMEOUT_MS)
  check("retry.attempts", retry.attempts ?? DEFAULT_ATTEMPTS, 1_000)
  if (batch) {
    check("batch.size", batch.size, 1_000)
    check("batch.waitMs", batch.waitMs ?? 0, MAX_TIMEOUT_MS, 0)
  }
  const limits = flowLimits(definition, check)
  return Object.freeze({
    name,
    on: compilePattern(typeof on === "string" ? on : on.type),
    where: definition.where,
    version,
    replayable: definition.replay !== "skip",
    priority: numberFor(name, "priority", definition.priority, -100, 100),
    delayMs: delayOf(definition),
    flowKey: flowOf(limits) === "keyed" ? keyOf(definition) : () => null,
    timeoutMs,
    attempts: retry.attempts ?? DEFAULT_ATTEMPTS,
    backoff: backoffOf(name, retry),
    isWorthRetrying: retry.when ?? (() => true),
    flow: flowOf(limits),
    limits,
    batchSize: batch?.size ?? 1,
    batchWaitMs: batch?.waitMs ?? 0,
    run: definition.run,
  })
}

function checkName(name: unknown): void {
  if (typeof name === "string" && name.length <= MAX_NAME && NAME.test(name)) return
  throw invalid(`expected a name such as "triage.label" of at most ${MAX_NAME} characters, got ${JSON.stringify(name)}`)
}

/** Options that are objects, and those of a few words: code without types may give anything. */
function checkShapes(name: string, definition: HandlerDefinition): void {
  for (const option of ["retry", "concurrency", "rateLimit", "batch", "debounce"] as const) {
    checkObject(name, option, definition[option])
  }
  const { rateLimit, ordered, replay, retry } = definition
  if (typeof retry?.backoff !== "function") checkObject(name, "retry.backoff", retry?.backoff)
  checkWord(name, "rateLimit.per", rateLimit?.per, ["tenant", "key", "global"])
  checkWord(name, "ordered", ordered, ["subject", "key"])
  checkWord(name, "replay", replay, ["run", "skip"])
}

function checkObject(name: string, option: string, value: unknown): void {
  if (value === undefined || (typeof value === "object" && value !== null && !Array.isArray(value))) return
  throw invalid(`expected an object as ${option} of handler ${name}, got ${JSON.stringify(value)}`)
}

function checkWord(name: string, option: string, value: string | undefined, words: readonly string[]): void {
  if (value === undefined || words.includes(value)) return
  throw invalid(`expected ${words.join(" or ")} as ${option} of handler ${name}, got ${JSON.stringify(value)}`)
}

function checkFunctions(name: string, definition: HandlerDefinition): void {
  const { run, where, key, retry } = definition
  const given = { run, where: where ?? run, key: key ?? run, "retry.when": retry?.when ?? run }
  for (const [option, value] of Object.entries(given)) {
    if (typeof value !== "function")
      throw invalid(`expected a function as ${option} of handler ${name}, got ${typeof value}`)
  }
  const isTyped = typeof definition.on === "object" && definition.on !== null && typeof definition.on.type === "string"
  if (typeof definition.on !== "string" && !isTyped)
    throw invalid(`expected a pattern or a typed signal as on of handler ${name}, got ${typeof definition.on}`)
}

type Check = (option: string, value: number, max: number, min?: number) => void

function flowLimits(definition: HandlerDefinition, check: Check): FlowLimits {
  const { name, concurrency = {}, rateLimit, ordered, debounce, batch } = definition
  for (const [option, value] of Object.entries(concurrency)) check(`concurrency.${option}`, value, MAX_COUNT)
  if (rateLimit) {
    check("rateLimit.limit", rateLimit.limit, MAX_COUNT)
    check("rateLimit.perMs", rateLimit.perMs, MAX_TIMEOUT_MS)
  }
  if (debounce) {
    check("debounce.quietMs", debounce.quietMs, MAX_TIMEOUT_MS)
    check("debounce.maxMs", debounce.maxMs ?? debounce.quietMs, MAX_TIMEOUT_MS)
    if (definition.delayMs !== undefined)
      throw invalid(`expected delayMs or debounce for handler ${name}, got both; a debounced delivery waits by itself`)
  }
  if (ordered !== undefined && debounce)
    throw invalid(
      `expected ordered or debounce for handler ${name}, got both; of a debounced key only the last one runs`,
    )
  if (ordered !== undefined && (concurrency.perKey ?? 1) !== 1)
    throw invalid(`expected no concurrency.perKey beside ordered for handler ${name}, got ${concurrency.perKey}`)
  const limits: FlowLimits = {
    global: concurrency.global,
    perTenant: concurrency.perTenant,
    perKey: ordered === undefined ? concurrency.perKey : 1,
    rate: rateLimit && { per: "tenant", ...rateLimit },
    isOrdered: ordered !== undefined,
    debounce,
  }
  if (batch && flowOf(limits) === "keyed")
    throw invalid(`expected batch without ordered, debounce or limits per key for handler ${name}; it mixes keys`)
  return limits
}

function flowOf({ global, perTenant, perKey, rate, debounce }: FlowLimits): Handler["flow"] {
  if (perKey !== undefined || debounce || rate?.per === "key") return "keyed"
  return global !== undefined || perTenant !== undefined || rate ? "limited" : "plain"
}

type JsonSignal = StoredSignal<JsonValue>

/** The wait that a batch or a debounce asks for is a delay like any other. */
function delayOf({ name, delayMs, batch, debounce }: HandlerDefinition): (signal: JsonSignal) => number {
  if (debounce) return () => Math.min(debounce.quietMs, debounce.maxMs ?? Infinity)
  const delay = numberFor(name, "delayMs", delayMs, 0, MAX_DELAY_MS)
  const waitMs = batch?.waitMs ?? 0
  return waitMs === 0 ? delay : (signal) => Math.max(waitMs, delay(signal))
}

function numberFor(
  name: string,
  option: string,
  value: number | ((signal: JsonSignal) => number) | undefined,
  min: number,
  max: number,
): (signal: JsonSignal) => number {
  const fits = (given: number): number => {
    if (Number.isFinite(given)) return Math.round(Math.min(max, Math.max(min, given)))
    throw invalid(`expected a number as ${option} of handler ${name}, got ${String(given)}`)
  }
  if (typeof value === "function") return (signal) => fits(value(signal))
  const given = value ?? 0
  if (given < min || given > max || !Number.isFinite(given))
    throw invalid(`expected a number from ${min} to ${max} as ${option} of handler ${name}, got ${String(given)}`)
  const rounded = fits(given)
  return () => rounded
}

function keyOf({ key, ordered }: HandlerDefinition): (signal: JsonSignal) => string {
  const ask = ordered === "subject" || !key ? (signal: JsonSignal) => signal.subject ?? "" : key
  return (signal) => {
    // Code without types may answer something else.
    const answer: unknown = ask(signal)
    const text = String(answer)
    const fits = text.length <= MAX_KEY && text.isWellFormed() && !text.includes("\u0000")
    return fits ? text : createHash("sha256").update(text).digest("hex")
  }
}

function backoffOf(name: string, { backoff }: RetryOptions): Handler["backoff"] {
  if (typeof backoff !== "function") {
    checkBackoff(name, backoff ?? {})
    return (attempt) => Math.min(MAX_DELAY_MS, backoffMs(attempt, backoff))
  }
  return (attempt, error) => {
    try {
      const ms = backoff(attempt, error)
      return Number.isFinite(ms) && ms >= 0 ? Math.min(ms, MAX_DELAY_MS) : backoffMs(attempt)
    } catch {
      // A failed attempt is tried again, whatever else is wrong.
      return backoffMs(attempt)
    }
  }
}

function checkBackoff(name: string, { firstMs = 0, longestMs = 0, factor = 1 }: Backoff): void {
  for (const [option, value, min] of [
    ["firstMs", firstMs, 0],
    ["longestMs", longestMs, 0],
    ["factor", factor, 1],
  ] as const) {
    if (!Number.isFinite(value) || value < min)
      throw invalid(`expected a number from ${min} as retry.backoff.${option} of handler ${name}, got ${String(value)}`)
  }
}

function checkInteger(name: string, option: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw invalid(`expected a whole number from ${min} to ${max} as ${option} of handler ${name}, got ${String(value)}`)
}

function invalid(message: string): FleetPromptError {
  return new FleetPromptError("handler_invalid", message)
}
