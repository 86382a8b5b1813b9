import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { CompiledPattern } from "../signal/pattern.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Backoff } from "./backoff.ts"
import type { HandlerResult } from "./outcome.ts"

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

/** A credential that a handler may use in this attempt. Printed, it is `[credential 0198…]`. */
export interface HandlerCredential {
  readonly id: string
  /** The system that it is for: `github`. */
  readonly provider: string
  /** Whose account there. */
  readonly account: string
  readonly kind: string
  readonly scopes: readonly string[]
  readonly expiresAt: Date | null
  /**
   * The secret, or one field of it that is a text. What was revealed is masked in this attempt's error and in what it
   * emits.
   *
   * @throws FleetPromptError `credential_unusable` after the attempt, `credential_invalid` when there is no such text
   */
  readonly reveal: { (): JsonObject; (field: string): string }
}

/** The tenant's credentials, for one attempt. */
export interface HandlerCredentials {
  /**
   * A credential by its id. Each call stands in the tenant's audit log before it answers.
   *
   * @throws FleetPromptError `credential_unknown`, `credential_unusable`, `secret_unreadable`, `key_unknown`
   */
  readonly get: (id: string) => Promise<HandlerCredential>
}

/** What a handler is called with. */
export interface HandlerContext<Data = JsonValue> {
  /** The signal that this delivery is for; of a batch, the first. */
  readonly signal: StoredSignal<Data>
  /** All signals of a batch, in the order of the queue; without `batch`, the one. */
  readonly signals: readonly StoredSignal<Data>[]
  /** Slug of the signal's tenant. */
  readonly tenant: string
  /** Names the delivery, the same in each attempt: the idempotency key for effects outside. */
  readonly deliveryId: string
  /** 1 for the first try. */
  readonly attempt: number
  /** The replay that this run is part of, or null when the signal is new. */
  readonly replay: { readonly id: string } | null
  /** Fires when the attempt timed out, was taken over by another worker, or the worker stops. */
  readonly abort: AbortSignal
  /** The tenant's credentials: get one by the id that the signal refers to, where it is used. */
  readonly credentials: HandlerCredentials
  /** Emits a signal for the same tenant, caused by `signal`, in its correlation. */
  readonly emit: (type: string, data: JsonValue, options?: HandlerEmitOptions) => Promise<Emitted>
}

/** How failed attempts are tried again. */
export interface RetryOptions {
  /** How often a delivery is tried before it is dead. Default 5. */
  readonly attempts?: number
  /** How long to wait between attempts; as a function, milliseconds after an attempt's error. */
  readonly backoff?: Backoff | ((attempt: number, error: unknown) => number)
  /** Which errors are worth another attempt; others make the delivery dead at once. Default: all. */
  readonly when?: (error: unknown) => boolean
}

/** How many deliveries of a handler may run at once, in all processes together. */
export interface ConcurrencyOptions {
  readonly global?: number
  readonly perTenant?: number
  /** For each key, see `key`. */
  readonly perKey?: number
}

/** How many deliveries of a handler may begin in any period, in all processes together. */
export interface RateLimitOptions {
  readonly limit: number
  /** Length of the period, milliseconds. */
  readonly perMs: number
  /** Whose limit it is: each tenant's, the default, each key's of a tenant, or one for all. */
  readonly per?: "tenant" | "key" | "global"
}

/** Several signals in one call. */
export interface BatchOptions {
  /** Signals in one call at most. */
  readonly size: number
  /** How long the first signal waits for others, which then go with it, milliseconds. Default 0. */
  readonly waitMs?: number
}

/** Only the last of several signals that come close together. */
export interface DebounceOptions {
  /** It runs when no other came for so long, milliseconds. */
  readonly quietMs: number
  /** It runs after so long even when others keep coming, milliseconds. Default: never. */
  readonly maxMs?: number
}

/** A number, or one that depends on the signal. */
type NumberFor<Data> = number | ((signal: StoredSignal<Data>) => number)

/** Named code on a pattern of signal types. */
export interface HandlerDefinition<Data = JsonValue> {
  /** Unique in the fleet; letters, digits, `_`, `-` and dots, at most 100 characters: `triage.label`. Deliveries carry it, so it must not change between releases. */
  readonly name: string
  /** Pattern of the signal types it runs on, `github.issues.opened` or `github.**`, or a typed signal of `defineSignal`. */
  readonly on: string | { readonly type: string; readonly create: (data: never) => { readonly data: Data } }
  /**
   * A further condition, asked when the signal is stored. When it throws, the delivery is made all
   * the same, and the worker asks again: the error is then seen as a failed attempt.
   */
  readonly where?: (signal: StoredSignal<Data>) => boolean
  /** Version of the code. Deliveries made for a version are not run by older code, so a rolling release is safe. Default 1. */
  readonly version?: number
  /** -100 to 100; within a tenant, more is sooner. Default 0. */
  readonly priority?: NumberFor<Data>
  /** How long after the commit it may run, milliseconds. Default 0. */
  readonly delayMs?: NumberFor<Data>
  /** How long one attempt may take, milliseconds. Default 60,000. */
  readonly timeoutMs?: number
  readonly retry?: RetryOptions
  /** What `perKey`, a rate limit per key, `ordered` and `debounce` go by. Default: the signal's subject. */
  readonly key?: (signal: StoredSignal<Data>) => string
  readonly concurrency?: ConcurrencyOptions
  readonly rateLimit?: RateLimitOptions
  /** One after the other for each subject (or key), in the order in which they were stored; a failed one holds up those behind it. */
  readonly ordered?: "subject" | "key"
  readonly batch?: BatchOptions
  readonly debounce?: DebounceOptions
  /** Whether a replay may run it. Default `run`; `skip` for what must not happen again. */
  readonly replay?: "run" | "skip"
  /** Does the work. A thrown error or rejected promise fails the attempt; `snooze(ms)` and `cancel(reason)` may be returned. */
  readonly run: (context: HandlerContext<Data>) => Promise<HandlerResult | void> | HandlerResult | void
}

/** Limits of a handler that hold in all processes together; undefined where there is none. */
export interface FlowLimits {
  readonly global: number | undefined
  readonly perTenant: number | undefined
  readonly perKey: number | undefined
  readonly rate: Required<RateLimitOptions> | undefined
  readonly isOrdered: boolean
  readonly debounce: DebounceOptions | undefined
}

/** A checked definition, with its defaults filled in. */
export interface Handler {
  readonly name: string
  readonly on: CompiledPattern
  readonly where: ((signal: StoredSignal<JsonValue>) => boolean) | undefined
  readonly version: number
  readonly replayable: boolean
  readonly priority: (signal: StoredSignal<JsonValue>) => number
  readonly delayMs: (signal: StoredSignal<JsonValue>) => number
  readonly flowKey: (signal: StoredSignal<JsonValue>) => string | null
  readonly timeoutMs: number
  readonly attempts: number
  readonly backoff: (attempt: number, error: unknown) => number
  readonly isWorthRetrying: (error: unknown) => boolean
  /** plain: claimed from its lanes; limited: claimed one lane at a time, under a lock; keyed: the same, key by key. */
  readonly flow: "plain" | "limited" | "keyed"
  readonly limits: FlowLimits
  /** Signals in one call. */
  readonly batchSize: number
  /** How long the first of them waits for others, milliseconds. */
  readonly batchWaitMs: number
  readonly run: (context: HandlerContext) => unknown
}
