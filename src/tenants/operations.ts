import { setTimeout as sleep } from "node:timers/promises"
import { appendAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import { isUuid } from "../signal/id.ts"
import type { Queryable } from "../store/database.ts"
import { type OperationRecord, requestCancel, selectOperation, selectOperations } from "../store/tenant-operations.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { actEntry, type RequestedBy } from "./act-entry.ts"
import type { OperationDeps } from "./operation-step.ts"

/** Which operations are listed. */
export interface OperationListOptions {
  /** Only this tenant's. Default: all. */
  readonly tenant?: string
  /** Only those that have not ended. Default: all. */
  readonly open?: boolean
  /** 1 to 1,000. Default 100. */
  readonly limit?: number
}

/** What is done to tenants and takes a while: looking at it, waiting for it, ending it. */
export interface FleetOperations {
  /** One, or undefined. */
  readonly get: (id: string) => Promise<OperationRecord | undefined>
  /** The newest first. */
  readonly list: (options?: OperationListOptions) => Promise<readonly OperationRecord[]>
  /**
   * An operation each time that it got further, until it has ended; that is the last.
   *
   * @throws FleetPromptError `operation_unknown`
   * @example
   * for await (const { step, progress } of fleet.operations.watch(id)) console.log(step, progress.done, progress.total)
   */
  readonly watch: (id: string, options?: { readonly signal?: AbortSignal }) => AsyncIterableIterator<OperationRecord>
  /**
   * Waits until an operation has ended.
   *
   * @throws FleetPromptError `operation_unknown`
   * @throws the abort's reason
   */
  readonly wait: (id: string, options?: { readonly signal?: AbortSignal }) => Promise<OperationRecord>
  /**
   * Asks for an end: what was begun is taken back, and the operation ends as `cancelled`. One that is past the point
   * where it can be taken back goes on. That it was asked for is in the tenant's audit log in the same commit.
   *
   * @throws FleetPromptError `operation_unknown`, `operation_ended`
   */
  readonly cancel: (id: string, request?: RequestedBy) => Promise<OperationRecord>
}

/** What the door of operations works with. */
export interface OperationsDeps extends Pick<OperationDeps, "database" | "announcer"> {
  /** Looks at once whether there is something to do. */
  readonly wake: () => void
}

const POLL_MS = 100
const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1_000

/** The operations of a fleet. */
export function openOperations(deps: () => OperationsDeps): FleetOperations {
  const watch = async function* (
    id: string,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<OperationRecord, undefined> {
    let last = ""
    while (true) {
      const operation = await known(id, deps())
      const now = `${operation.status} ${operation.step} ${operation.progress.done} ${operation.progress.total}`
      if (now !== last) yield operation
      last = now
      if (hasEnded(operation)) return undefined
      await sleep(POLL_MS, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted())
    }
  }
  return Object.freeze({
    get: async (id: string) => (isUuid(id) ? selectOperation(deps().database, id) : undefined),
    list: async ({ tenant, open, limit = DEFAULT_LIMIT }: OperationListOptions = {}) =>
      selectOperations(deps().database, { tenant, isOpen: open, limit: checkLimit(limit) }),
    watch,
    wait: async (id: string, options: { readonly signal?: AbortSignal } = {}) => {
      let ended: OperationRecord | undefined
      for await (const operation of watch(id, options)) ended = operation
      return ended ?? known(id, deps())
    },
    cancel: async (id: string, request: RequestedBy = {}) => {
      await known(id, deps())
      const operation = await deps().database.transaction((tx) => cancel(tx, id, request))
      deps().announcer.changed({ tenants: true })
      deps().wake()
      return operation
    },
  })
}

async function cancel(tx: Queryable, id: string, request: RequestedBy): Promise<OperationRecord> {
  const operation = await requestCancel(tx, id)
  if (!operation)
    throw new FleetPromptError("operation_ended", `expected an operation that is under way, ${id} has ended`)
  const { tenant, kind } = operation
  const entry = actEntry("tenant.operation.cancel", `tenant:${tenant}`, request, { operation: operation.id, kind })
  await appendAudit(tx, tenantScope(tenant), [entry])
  return operation
}

async function known(id: string, { database }: OperationsDeps): Promise<OperationRecord> {
  const operation = isUuid(id) ? await selectOperation(database, id) : undefined
  if (operation) return operation
  throw new FleetPromptError("operation_unknown", "expected the id of an operation of this fleet, got another text")
}

/** Whether nothing more is done for it. */
export function hasEnded({ status }: Pick<OperationRecord, "status">): boolean {
  return status !== "waiting" && status !== "running"
}

function checkLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw new FleetPromptError("query_invalid", `expected a whole number from 1 to ${MAX_LIMIT} as limit, got ${limit}`)
}
