import { FleetPromptError } from "../errors.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import {
  type DirectiveRecord,
  type DirectiveStatus,
  selectDirective,
  selectDirectives,
  selectDirectiveTrail,
} from "../store/directives.ts"
import { isUuid } from "../signal/id.ts"
import type { Queryable } from "../store/database.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { approveDirective, cancelDirective, rejectDirective } from "./decide-directive.ts"
import { checkId, type DirectivesDeps, scopeToRead, unknownDirective } from "./directives-deps.ts"
import type {
  DirectiveDecision,
  DirectiveListOptions,
  DirectivePage,
  DirectiveRequest,
  DirectiveRequested,
  FleetDirectives,
  OfTenant,
  TenantDirectives,
} from "./directives-door.ts"
import type { Directive } from "./directive.ts"
import { requestDirective } from "./request-directive.ts"
import { RUNNER_SOURCE } from "./stage-signals.ts"

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
/** How often it is looked whether a directive has ended when nothing is heard, milliseconds. */
const POLL_MS = 1_000
const STATUSES: readonly unknown[] = [
  "requested",
  "running",
  "completed",
  "failed",
  "cancelled",
] satisfies readonly DirectiveStatus[]

/** One tenant's directives. */
export function openTenantDirectives(slug: string, deps: () => DirectivesDeps): TenantDirectives {
  const read = async <Result>(run: (tx: Queryable, scope: TenantScope) => Promise<Result>): Promise<Result> => {
    const scope = await scopeToRead(slug, deps())
    return withinTenant(deps().database, scope, (tx) => run(tx, scope))
  }
  const get = async (id: string): Promise<DirectiveRecord | undefined> =>
    isUuid(id) ? read((tx, scope) => selectDirective(tx, scope, id)) : undefined
  const known = async (id: string): Promise<DirectiveRecord> => {
    const found = await get(checkId(id))
    if (found) return found
    throw unknownDirective()
  }
  return Object.freeze({
    request: async (directive: string | Directive, params: unknown, options: DirectiveRequest = {}) =>
      requestDirective(slug, directive, params, options, deps()),
    get,
    list: async (options: DirectiveListOptions = {}) => listDirectives(options, read),
    cancel: async (id: string, options: DirectiveDecision = {}) => cancelDirective(slug, id, options, deps()),
    approve: async (id: string, options: DirectiveDecision = {}) => approveDirective(slug, id, options, deps()),
    reject: async (id: string, options: DirectiveDecision = {}) => rejectDirective(slug, id, options, deps()),
    rerun: async (id: string, options: DirectiveDecision = {}) =>
      rerunDirective(slug, await known(id), options, deps()),
    wait: async (id: string, { signal }: { readonly signal?: AbortSignal } = {}) =>
      waitForEnd(slug, () => known(id), signal, deps()),
    trail: async (id: string): Promise<readonly StoredSignal[]> => {
      await known(id)
      return read((tx, scope) => selectDirectiveTrail(tx, scope, id, RUNNER_SOURCE))
    },
  })
}

/** The directives of any tenant. @param of the door of one */
export function openFleetDirectives(of: (slug: string) => TenantDirectives): FleetDirectives {
  return Object.freeze({
    request: async <Input>(
      directive: string | Directive<Input>,
      params: Input,
      { tenant, ...options }: DirectiveRequest & OfTenant,
    ) => of(tenant).request(directive, params, options),
    get: async (id: string, { tenant }: OfTenant) => of(tenant).get(id),
    list: async ({ tenant, ...options }: DirectiveListOptions & OfTenant) => of(tenant).list(options),
    cancel: async (id: string, { tenant, ...options }: DirectiveDecision & OfTenant) => of(tenant).cancel(id, options),
    approve: async (id: string, { tenant, ...options }: DirectiveDecision & OfTenant) =>
      of(tenant).approve(id, options),
    reject: async (id: string, { tenant, ...options }: DirectiveDecision & OfTenant) => of(tenant).reject(id, options),
    rerun: async (id: string, { tenant, ...options }: DirectiveDecision & OfTenant) => of(tenant).rerun(id, options),
    wait: async (id: string, { tenant, ...options }: OfTenant & { readonly signal?: AbortSignal }) =>
      of(tenant).wait(id, options),
    trail: async (id: string, { tenant }: OfTenant) => of(tenant).trail(id),
  })
}

async function listDirectives(
  options: DirectiveListOptions,
  read: <Result>(run: (tx: Queryable, scope: TenantScope) => Promise<Result>) => Promise<Result>,
): Promise<DirectivePage> {
  checkList(options)
  const { status, type, actor, awaitingApproval, before, limit = DEFAULT_LIMIT } = options
  const filter = {
    status: status ?? null,
    type: type ?? null,
    actor: actor ?? null,
    awaitingApproval: awaitingApproval ?? null,
    before: before ?? null,
    limit,
  }
  const directives = await read((tx, scope) => selectDirectives(tx, scope, filter))
  return { directives, next: directives.length < limit ? null : (directives.at(-1)?.id ?? null) }
}

function checkList({ status, before, limit = DEFAULT_LIMIT }: DirectiveListOptions): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw invalid(`a whole number from 1 to ${MAX_LIMIT} as limit`)
  if (before !== undefined && !isUuid(before)) throw invalid("the next of an earlier page as before")
  if (status !== undefined && !STATUSES.includes(status)) throw invalid(`${STATUSES.join(", ")} as status`)
}

function invalid(expected: string): FleetPromptError {
  return new FleetPromptError("query_invalid", `expected ${expected}, got something else`)
}

/** Its key makes two who ask at once ask for the same. */
function rerunDirective(
  slug: string,
  { id, type, status, params, plan, correlationId, causationId }: DirectiveRecord,
  options: DirectiveDecision,
  deps: DirectivesDeps,
): Promise<DirectiveRequested> {
  if (status === "requested" || status === "running")
    throw new FleetPromptError(
      "directive_state",
      `expected a directive that has ended to be run again, ${id} is ${status}; wait for its end, or cancel it`,
    )
  const { actor, reason } = options
  return requestDirective(
    slug,
    type,
    params,
    {
      ...(actor && { actor }),
      ...(reason !== undefined && { reason }),
      ...(plan !== null && { plan }),
      ...(causationId !== null && { causationId }),
      idempotencyKey: `dir:rerun:${slug}:${id}`,
      correlationId,
      rerunOf: id,
    },
    deps,
  )
}

async function waitForEnd(
  slug: string,
  read: () => Promise<DirectiveRecord>,
  signal: AbortSignal | undefined,
  { onCommit }: DirectivesDeps,
): Promise<DirectiveRecord> {
  let wake = (): void => {}
  // Before the first look, so that no end is missed between the two.
  const unlisten = onCommit({ onCommit: ({ tenant }) => tenant === slug && wake(), onGap: () => wake() })
  const onAbort = (): void => wake()
  signal?.addEventListener("abort", onAbort)
  try {
    for (;;) {
      signal?.throwIfAborted()
      const news = new Promise<void>((resolve) => (wake = resolve))
      const directive = await read()
      if (directive.status !== "requested" && directive.status !== "running") return directive
      await within(POLL_MS, news)
    }
  } finally {
    unlisten()
    signal?.removeEventListener("abort", onAbort)
  }
}

async function within(ms: number, news: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([news, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))])
  clearTimeout(timer)
}
