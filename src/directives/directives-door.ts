import type { Principal } from "../access/principal.ts"
import type { JsonValue } from "../signal/json.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { DirectiveRecord, DirectiveStatus } from "../store/directives.ts"
import type { JoinableTransaction } from "../store/joined-transaction.ts"
import type { Directive } from "./directive.ts"

/** Who does something with a directive, and why. Both stand in the audit log. */
export interface DirectiveDecision {
  /** Whose rights are asked. Default: the program itself, which may do everything. */
  readonly actor?: Principal
  /** Why, for people. At most 500 characters. */
  readonly reason?: string
}

/** How a directive is requested. */
export interface DirectiveRequest extends DirectiveDecision {
  /** The same key with the same type and params is the same directive. Default: that of the definition, or none. */
  readonly idempotencyKey?: string
  /** Not before this moment. Default: at once. */
  readonly runAt?: Date
  /** When it has not begun by then, it is cancelled. Default: never. */
  readonly expiresAt?: Date
  /** Default: the directive's id. */
  readonly correlationId?: string
  /** Id of the signal that led to it. */
  readonly causationId?: string
  /** What it will do, for whoever has to approve it; JSON without secrets. */
  readonly plan?: JsonValue
  /** The caller's own transaction, as of `emit`: the request commits or rolls back with it. */
  readonly tx?: JoinableTransaction
}

/** What came of a request. */
export interface DirectiveRequested {
  readonly directive: DirectiveRecord
  /** False when the tenant had it already, by its key. */
  readonly inserted: boolean
}

/** Which directives are listed. */
export interface DirectiveListOptions {
  readonly status?: DirectiveStatus
  readonly type?: string
  /** Id of who requested it. */
  readonly actor?: string
  /** Those that wait for an approval, or do not. */
  readonly awaitingApproval?: boolean
  /** How many, 1 to 500. Default 50. */
  readonly limit?: number
  /** Only directives requested before this one: the `next` of the page before. */
  readonly before?: string
}

/** One page of a list, newest first, and where the next begins; null after the last. */
export interface DirectivePage {
  readonly directives: readonly DirectiveRecord[]
  readonly next: string | null
}

/** A tenant's directives: what was ordered, by whom, and what came of it. */
export interface TenantDirectives {
  /**
   * Orders something. The directive, its signals and its place in the queue commit together; it runs in any process
   * whose fleet has its definition. The same key with the same type and params answers with the directive that there is,
   * and `inserted: false`.
   *
   * @param directive a definition, or its type.
   * @throws FleetPromptError `directive_unknown`, `directive_params_invalid`, `directive_conflict`, `forbidden`,
   * `not_found`, `secret_refused`, `query_invalid`, `tenant_behind`, `tenant_suspended`, `tenant_unknown`
   * @example
   * const { directive } = await tenant.directives.request(inviteBot, { channel: "#ops", credential }, { actor: principal })
   * const ended = await tenant.directives.wait(directive.id)
   */
  readonly request: <Input>(
    directive: string | Directive<Input>,
    params: Input,
    options?: DirectiveRequest,
  ) => Promise<DirectiveRequested>
  /** One, or undefined. */
  readonly get: (id: string) => Promise<DirectiveRecord | undefined>
  /** Newest first, by pages. @throws FleetPromptError `query_invalid` */
  readonly list: (options?: DirectiveListOptions) => Promise<DirectivePage>
  /**
   * Ends one: before it has begun at once, while it runs as soon as its step has ended, with what was done undone. Safe
   * to repeat.
   *
   * @throws FleetPromptError `directive_unknown`, `directive_state` when it has completed or failed, `forbidden`
   */
  readonly cancel: (id: string, options?: DirectiveDecision) => Promise<DirectiveRecord>
  /**
   * Lets one run that waits for an approval. Whoever requested it may not. Safe to repeat.
   *
   * @throws FleetPromptError `directive_unknown`, `directive_state`, `forbidden`
   */
  readonly approve: (id: string, options?: DirectiveDecision) => Promise<DirectiveRecord>
  /** Cancels one that waits for an approval, as `approve` lets it run. Whoever requested it may not; they may cancel it. */
  readonly reject: (id: string, options?: DirectiveDecision) => Promise<DirectiveRecord>
  /**
   * Requests what has ended once more, as a new directive with `rerunOf`. The one who asks is its actor. Asked twice, it
   * answers with the same one.
   *
   * @throws FleetPromptError `directive_unknown`, `directive_state` while it is not over, and what `request` throws
   */
  readonly rerun: (id: string, options?: DirectiveDecision) => Promise<DirectiveRequested>
  /** Resolves when it has ended, whatever came of it. @throws FleetPromptError `directive_unknown`; the abort's reason */
  readonly wait: (id: string, options?: { readonly signal?: AbortSignal }) => Promise<DirectiveRecord>
  /**
   * Its signals in the order in which they were stored: of its stages, of its own domain, and what its run emitted. Each
   * names its cause.
   *
   * @throws FleetPromptError `directive_unknown`
   */
  readonly trail: (id: string) => Promise<readonly StoredSignal[]>
}

/** Names the tenant of a call at the fleet's own door. */
export interface OfTenant {
  /** Slug of the tenant. */
  readonly tenant: string
}

/** The same for any tenant, which the options name. */
export interface FleetDirectives {
  readonly request: <Input>(
    directive: string | Directive<Input>,
    params: Input,
    options: DirectiveRequest & OfTenant,
  ) => Promise<DirectiveRequested>
  readonly get: (id: string, options: OfTenant) => Promise<DirectiveRecord | undefined>
  readonly list: (options: DirectiveListOptions & OfTenant) => Promise<DirectivePage>
  readonly cancel: (id: string, options: DirectiveDecision & OfTenant) => Promise<DirectiveRecord>
  readonly approve: (id: string, options: DirectiveDecision & OfTenant) => Promise<DirectiveRecord>
  readonly reject: (id: string, options: DirectiveDecision & OfTenant) => Promise<DirectiveRecord>
  readonly rerun: (id: string, options: DirectiveDecision & OfTenant) => Promise<DirectiveRequested>
  readonly wait: (id: string, options: OfTenant & { readonly signal?: AbortSignal }) => Promise<DirectiveRecord>
  readonly trail: (id: string, options: OfTenant) => Promise<readonly StoredSignal[]>
}
