import type { Role } from "../access/principal.ts"
import type { Emitted, HandlerCredentials, HandlerEmitOptions, RetryOptions } from "../delivery/handler-definition.ts"
import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { InferOutput, StandardSchema } from "../signal/standard-schema.ts"
import type { Visibility } from "../signal/stored-signal.ts"
import type { Transaction } from "../store/database.ts"
import type { DirectiveActor } from "../store/directives.ts"

/** What a step is given. */
export interface StepCall {
  /** Names the step of this directive, the same in each attempt: the idempotency key for effects outside. */
  readonly key: string
  /** Fires when the attempt timed out, the directive is to be cancelled, or the worker stops. */
  readonly signal: AbortSignal
}

/** What a step that commits its writes with its mark is given besides. */
export interface TransactionCall extends StepCall {
  /** Emits within the transaction; the context's own `emit` would wait for another connection. */
  readonly emit: DirectiveContext["emit"]
}

/** How a step is taken back. */
export interface StepOptions<Result> {
  /**
   * Takes the finished step back, when the directive fails for good or is cancelled after it. It may be called again
   * after a crash, so twice must do no harm.
   */
  readonly undo?: (result: Result, call: StepCall) => Promise<void> | void
}

/** What a directive's `run` is called with. */
export interface DirectiveContext<Params = unknown> {
  readonly id: string
  readonly type: string
  /** Slug of the tenant. */
  readonly tenant: string
  readonly params: Params
  /** Who requested it, as they were then. */
  readonly actor: DirectiveActor
  readonly reason: string | null
  readonly correlationId: string
  /** What was said at the request about what it will do; null when nothing was. */
  readonly plan: JsonValue
  /** 1 for the first try. */
  readonly attempt: number
  /** Fires when the attempt timed out, the directive is to be cancelled, or the worker stops. */
  readonly signal: AbortSignal
  /** The tenant's credentials: get one by the id that the params refer to, where it is used. */
  readonly credentials: HandlerCredentials
  /**
   * Does one part of the work. Its result is stored when it has ended, and it is not run again: an attempt after a
   * crash or a failure gets the stored result. A step that was cut is run again.
   *
   * @param name names the step within the directive: small letters, digits, `.`, `_`, `-`.
   * @throws FleetPromptError `directive_invalid` for a name that is none or was used before; what `work` throws
   * @example
   * const repository = await step("create-repository", ({ key }) => github.create(params.name, { idempotencyKey: key }), {
   *   undo: ({ id }) => github.remove(id),
   * })
   */
  readonly step: <Result extends JsonValue | void>(
    name: string,
    work: (call: StepCall) => Promise<Result> | Result,
    options?: StepOptions<Result>,
  ) => Promise<Result>
  /**
   * A step whose writes commit together with its mark, so that they happen once, whatever is cut when. The transaction
   * is one of the login, as that of `fleet.transaction`.
   */
  readonly transaction: <Result extends JsonValue | void>(
    name: string,
    work: (tx: Transaction, call: TransactionCall) => Promise<Result>,
    options?: StepOptions<Result>,
  ) => Promise<Result>
  /** Says how far it is. Written down a few times a second at most. */
  readonly progress: (done: number, total: number, text?: string) => void
  /** Emits a signal for the tenant, caused by the directive, about it unless told otherwise; a repeated run emits nothing twice. */
  readonly emit: (type: string, data: JsonValue, options?: HandlerEmitOptions) => Promise<Emitted>
}

/** What a directive's own `undo` is called with. */
export interface UndoContext<Params = unknown> extends StepCall {
  readonly id: string
  readonly type: string
  readonly tenant: string
  readonly params: Params
  /** Results of the steps that had ended, by name. */
  readonly steps: Readonly<Record<string, JsonValue>>
  readonly credentials: HandlerCredentials
}

/** A signal of a directive's own domain, beside one of `directive.*`. */
export interface TrailSignal {
  readonly data: JsonValue
  /** What it is about: `package_installation:0198…`. Default: the directive. */
  readonly subject?: string
  /** The key under which the tenant has this fact once. Default `job:<directive>:<type>`. */
  readonly dedupeKey?: string
  /** Default: that of the directive's other signals. */
  readonly source?: string
}

/** What a stage of the trail is told. */
export interface TrailStage<Params = unknown> {
  readonly id: string
  readonly tenant: string
  readonly params: Params
  readonly actor: DirectiveActor
  readonly attempt: number
}

/** What went wrong, or why it was cancelled. */
export interface DirectiveFailure {
  /** A code: of the table of errors, of the thrown error, `error` otherwise; `cancelled`, `expired` or `rejected`. */
  readonly kind: string
  readonly message: string
  readonly details: JsonObject
}

/**
 * Signals of the directive's own domain, in this order: `<domain>.requested`, `directive.requested`,
 * `directive.started`, `<domain>.started`, `<domain>.completed`, `directive.completed`; in place of completed: failed or
 * cancelled. Each commits with the change that it tells of. A stage without a function, or whose function returns
 * undefined, has no signal.
 */
export interface DirectiveTrail<Params = unknown> {
  /** Begins the types: `package.install`. Default: the directive's type. */
  readonly domain?: string
  readonly requested?: (stage: TrailStage<Params>) => TrailSignal | undefined
  readonly started?: (stage: TrailStage<Params>) => TrailSignal | undefined
  readonly completed?: (stage: TrailStage<Params> & { readonly result: JsonValue }) => TrailSignal | undefined
  readonly failed?: (stage: TrailStage<Params> & { readonly failure: DirectiveFailure }) => TrailSignal | undefined
  readonly cancelled?: (stage: TrailStage<Params> & { readonly failure: DirectiveFailure }) => TrailSignal | undefined
}

/** What `defineDirective` needs to know. */
export interface DirectiveDefinition<Schema extends StandardSchema> {
  /** What is to be done, dotted: `package.install`. Versions belong into the params, not into the type. */
  readonly type: string
  /**
   * A validator that follows Standard Schema. What it returns must be JSON, and it must take that again, since a run
   * reads what was stored. Params hold ids of credentials, never secrets.
   */
  readonly params: Schema
  /** Roles that may request it, besides what the policy `directives:request` asks. Default owner and admin. */
  readonly roles?: readonly Role[]
  /** The key of a request that names none: the same key and params are the same directive. */
  readonly idempotencyKey?: (params: InferOutput<Schema>, request: { readonly tenant: string }) => string
  /** Whether somebody else has to approve it before it runs. Default false. */
  readonly approval?: boolean | ((params: InferOutput<Schema>) => boolean)
  /** How long one attempt may take, milliseconds. Default 300,000. */
  readonly timeoutMs?: number
  /** How failed attempts are tried again, as of handlers: by default 5 attempts. */
  readonly retry?: RetryOptions
  readonly trail?: DirectiveTrail<InferOutput<Schema>>
  /** What of the params stands in the data of its signals, as `params`. Default: nothing. */
  readonly signalParams?: (params: InferOutput<Schema>) => JsonValue
  /** What of the result stands in the data of `directive.completed`. Default: the result, when it is no longer than 2,000 characters of JSON. */
  readonly summary?: (result: JsonValue) => JsonValue
  /** Who may read its signals. Default `internal`: every member. */
  readonly visibility?: Visibility
  /**
   * Does the work. After a crash or a failure it is called again: what has effects belongs into steps, and the rest must
   * lead to the same steps. A thrown error fails the attempt.
   */
  readonly run: (context: DirectiveContext<InferOutput<Schema>>) => Promise<JsonValue | void> | JsonValue | void
  /** Is called once more when it failed for good or was cancelled after its start, after the undo of its steps. */
  readonly undo?: (context: UndoContext<InferOutput<Schema>>) => Promise<void> | void
}

/** A checked definition, with its defaults filled in. Made by `defineDirective`. */
export interface Directive<Input = unknown> {
  readonly type: string
  readonly params: StandardSchema<Input, unknown>
  readonly roles: readonly Role[]
  readonly idempotencyKey: ((params: unknown, request: { readonly tenant: string }) => string) | undefined
  readonly needsApproval: (params: unknown) => boolean
  readonly timeoutMs: number
  readonly attempts: number
  readonly backoff: (attempt: number, error: unknown) => number
  readonly isWorthRetrying: (error: unknown) => boolean
  readonly trail: DirectiveTrail
  readonly signalParams: ((params: unknown) => JsonValue) | undefined
  readonly summary: (result: JsonValue) => JsonValue
  readonly visibility: Visibility
  readonly run: (context: DirectiveContext) => unknown
  readonly undo: ((context: UndoContext) => Promise<void> | void) | undefined
}
