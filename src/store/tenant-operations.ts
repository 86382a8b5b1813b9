import { FleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "./database.ts"

/** What may be done to a tenant in steps. */
export type OperationKind = "provision" | "suspend" | "resume" | "export" | "import" | "delete" | "move"

/** waiting: not before `dueAt`; running: some process works on it. The others are final. */
export type OperationStatus = "waiting" | "running" | "completed" | "cancelled" | "failed"

/** Something that is done to a tenant and takes a while. */
export interface OperationRecord {
  readonly id: string
  readonly tenant: string
  readonly kind: OperationKind
  readonly params: JsonObject
  readonly status: OperationStatus
  /** Where it stands. */
  readonly step: string
  /** What the steps found out. */
  readonly state: JsonObject
  /** How far the step is, in rows or parts; 0 of 0 when it cannot be said. */
  readonly progress: { readonly done: number; readonly total: number }
  readonly error: JsonObject | null
  readonly cancelRequested: boolean
  readonly dueAt: Date
  readonly requestedBy: string | null
  readonly reason: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly finishedAt: Date | null
}

/** An operation that a process works on until its lease ends. */
export interface LeasedOperation extends OperationRecord {
  /** Shown when something is booked; a later lease has a higher one. */
  readonly leaseToken: number
  /** How often its step was tried in vain since it last got further. */
  readonly attempts: number
}

const COLUMNS = `operation.id, operation.tenant, operation.kind, operation.params, operation.status, operation.step, operation.state,
  json_build_object('done', operation.progress_done, 'total', operation.progress_total) as progress, operation.error,
  operation.cancel_requested as "cancelRequested", operation.due_at as "dueAt", operation.requested_by as "requestedBy",
  operation.reason, operation.created_at as "createdAt", operation.updated_at as "updatedAt", operation.finished_at as "finishedAt"`
const LEASED = `${COLUMNS}, operation.lease_token::float8 as "leaseToken", operation.attempts`

/** An operation to be recorded. */
export interface NewOperation {
  readonly id: string
  readonly tenant: string
  readonly kind: OperationKind
  readonly params: JsonObject
  readonly step: string
  /** Not before so long from now, milliseconds. */
  readonly dueInMs?: number
  /** The only process that can work on it. */
  readonly boundTo?: string
  readonly requestedBy: string | null
  readonly reason: string | null
}

/**
 * Records an operation.
 *
 * @throws FleetPromptError `operation_conflict` while another one of the tenant is open
 */
export async function insertOperation(tx: Queryable, operation: NewOperation): Promise<OperationRecord> {
  const { id, tenant, kind, params, step, dueInMs = 0, boundTo = null, requestedBy, reason } = operation
  const [row] = await tx.query<OperationRecord>(
    `/* insertOperation */ insert into fleetprompt.tenant_operations as operation
       (id, tenant, kind, params, step, status, due_at, bound_to, requested_by, reason)
     values ($1::text::uuid, $2, $3, $4::text::jsonb, $5, case when $6::float8 > 0 then 'waiting' else 'running' end,
       now() + $6::float8 * interval '1 millisecond', $7, $8, $9)
     on conflict do nothing returning ${COLUMNS}`,
    [id, tenant, kind, JSON.stringify(params), step, dueInMs, boundTo, requestedBy, reason],
  )
  if (row) return row
  const [open] = await selectOperations(tx, { tenant, isOpen: true, limit: 1 })
  throw new FleetPromptError(
    "operation_conflict",
    `expected tenant "${tenant}" to have no operation under way, got ${open ? `${open.kind} ${open.id} (${open.status})` : "one that has just begun"}; wait for it or cancel it`,
  )
}

/** One operation, or undefined. */
export async function selectOperation(tx: Queryable, id: string): Promise<OperationRecord | undefined> {
  const [row] = await tx.query<OperationRecord>(
    `/* selectOperation */ select ${COLUMNS} from fleetprompt.tenant_operations as operation where operation.id = $1::text::uuid`,
    [id],
  )
  return row
}

/** Which operations. */
export interface OperationFilter {
  readonly tenant?: string | undefined
  /** Only those that have not ended. */
  readonly isOpen?: boolean | undefined
  readonly limit: number
}

/** Operations, newest first. */
export async function selectOperations(
  tx: Queryable,
  { tenant, isOpen = false, limit }: OperationFilter,
): Promise<readonly OperationRecord[]> {
  return tx.query<OperationRecord>(
    `/* selectOperations */ select ${COLUMNS} from fleetprompt.tenant_operations as operation
     where ($1::text is null or operation.tenant = $1)
       and (not $2::boolean or operation.status in ('waiting', 'running'))
     order by operation.created_at desc, operation.id desc limit $3`,
    [tenant ?? null, isOpen, limit],
  )
}

/** Who works on operations, and how long without a word. */
export interface OperationHolder {
  readonly worker: string
  readonly leaseMs: number
}

/** Takes operations that are due and that nobody works on, the oldest first; of those bound to a process its own. */
export async function leaseOperations(
  tx: Queryable,
  { worker, leaseMs }: OperationHolder,
  limit: number,
): Promise<readonly LeasedOperation[]> {
  return tx.query<LeasedOperation>(
    `/* leaseOperations */ update fleetprompt.tenant_operations as operation
     set status = 'running', leased_by = $1, leased_until = now() + $2::float8 * interval '1 millisecond',
       lease_token = operation.lease_token + 1
     from (
       select id from fleetprompt.tenant_operations
       where status in ('waiting', 'running') and due_at <= now() and (leased_until is null or leased_until <= now())
         and (bound_to is null or bound_to = $1)
       order by due_at limit $3 for update skip locked
     ) as free
     where operation.id = free.id
     returning ${LEASED}`,
    [worker, leaseMs, limit],
  )
}

/**
 * Prolongs a lease; within a transaction nobody else gets it until that ends.
 *
 * @returns the operation as it stands; undefined when it is another's now
 */
export async function prolongOperation(
  tx: Queryable,
  { id, leaseToken }: LeasedOperation,
  leaseMs: number,
): Promise<LeasedOperation | undefined> {
  const [row] = await tx.query<LeasedOperation>(
    `/* prolongOperation */ update fleetprompt.tenant_operations as operation
     set leased_until = now() + $3::float8 * interval '1 millisecond'
     where id = $1::text::uuid and lease_token = $2 and status = 'running' returning ${LEASED}`,
    [id, leaseToken, leaseMs],
  )
  return row
}

/** What a step leaves behind. What is left out stays as it is. */
export interface OperationStand {
  readonly step?: string
  readonly state?: JsonObject
  readonly done?: number
  readonly total?: number
  /** The next step is not to be done before, milliseconds. Then the lease is given back. */
  readonly dueInMs?: number
  readonly attempts?: number
  readonly error?: JsonObject
}

/** Notes where an operation stands. @returns whether the lease was still held */
export async function saveOperation(
  tx: Queryable,
  { id, leaseToken }: LeasedOperation,
  { step, state, done, total, dueInMs = 0, attempts = 0, error }: OperationStand,
): Promise<boolean> {
  const rows = await tx.query(
    `/* saveOperation */ update fleetprompt.tenant_operations
     set step = coalesce($3, step), state = coalesce($4::text::jsonb, state), progress_done = coalesce($5, progress_done),
       progress_total = coalesce($6, progress_total), updated_at = now(),
       due_at = now() + $7::float8 * interval '1 millisecond', attempts = $8, error = coalesce($9::text::jsonb, error),
       leased_until = case when $7::float8 > 0 then null else leased_until end
     where id = $1::text::uuid and lease_token = $2 and status = 'running' returning id`,
    [
      id,
      leaseToken,
      step ?? null,
      state ? JSON.stringify(state) : null,
      done ?? null,
      total ?? null,
      dueInMs,
      attempts,
      error ? JSON.stringify(error) : null,
    ],
  )
  return rows.length > 0
}

/** Notes how far a step is, beside what it does. */
export async function saveProgress(
  tx: Queryable,
  { id, leaseToken }: LeasedOperation,
  done: number,
  total: number,
): Promise<void> {
  await tx.query(
    `/* saveProgress */ update fleetprompt.tenant_operations set progress_done = $3, progress_total = $4, updated_at = now()
     where id = $1::text::uuid and lease_token = $2 and status = 'running'`,
    [id, leaseToken, done, total],
  )
}

/** Ends an operation. @returns whether the lease was still held */
export async function finishOperation(
  tx: Queryable,
  { id, leaseToken }: LeasedOperation,
  status: "completed" | "cancelled" | "failed",
  state: JsonObject,
  error: JsonObject | null,
): Promise<OperationRecord | undefined> {
  const [row] = await tx.query<OperationRecord>(
    `/* finishOperation */ update fleetprompt.tenant_operations as operation
     set status = $3, state = operation.state || $4::text::jsonb, error = $5::text::jsonb, leased_until = null, leased_by = null,
       updated_at = now(), finished_at = now(),
       progress_done = case when $3 = 'completed' then progress_total else progress_done end
     where id = $1::text::uuid and lease_token = $2 and status = 'running' returning ${COLUMNS}`,
    [id, leaseToken, status, JSON.stringify(state), error && JSON.stringify(error)],
  )
  return row
}

/** Somebody wants an operation to end; whoever works on it, or takes it next, undoes it. */
export async function requestCancel(tx: Queryable, id: string): Promise<OperationRecord | undefined> {
  const [row] = await tx.query<OperationRecord>(
    `/* requestCancel */ update fleetprompt.tenant_operations as operation
     set cancel_requested = true, due_at = least(due_at, now()), updated_at = now()
     where id = $1::text::uuid and status in ('waiting', 'running') returning ${COLUMNS}`,
    [id],
  )
  return row
}

/** Ends a tenant's operation of a kind that waits, before anybody took it. */
export async function cancelWaiting(
  tx: Queryable,
  tenant: string,
  kind: OperationKind,
): Promise<OperationRecord | undefined> {
  const [row] = await tx.query<OperationRecord>(
    `/* cancelWaiting */ update fleetprompt.tenant_operations as operation
     set status = 'cancelled', cancel_requested = true, lease_token = lease_token + 1, leased_until = null, leased_by = null,
       updated_at = now(), finished_at = now()
     where tenant = $1 and kind = $2 and status = 'waiting' returning ${COLUMNS}`,
    [tenant, kind],
  )
  return row
}

/** Gives back what a process works on, so that another takes it at once. */
export async function releaseOperations(tx: Queryable, worker: string): Promise<number> {
  const rows = await tx.query(
    `/* releaseOperations */ update fleetprompt.tenant_operations set leased_by = null, leased_until = null
     where status = 'running' and leased_by = $1 returning id`,
    [worker],
  )
  return rows.length
}

/**
 * Lets any process take back what only one could go on with that has been silent for a while; a step that nothing can
 * take back needs nothing of that process, and goes on to its end.
 */
export async function releaseAbandoned(tx: Queryable, silentMs: number): Promise<void> {
  await tx.query(
    `/* releaseAbandoned */ update fleetprompt.tenant_operations
     set bound_to = null, cancel_requested = true, lease_token = lease_token + 1, leased_until = null, leased_by = null,
       error = jsonb_build_object('message', 'the process that read or wrote the file went away; ask for it again')
     where status in ('waiting', 'running') and bound_to is not null
       and coalesce(leased_until, updated_at) < now() - $1::float8 * interval '1 millisecond'`,
    [silentMs],
  )
}

/** Ends a suspension that waits for what runs: the tenant is resumed or deleted meanwhile. */
export async function cancelSuspend(tx: Queryable, tenant: string): Promise<void> {
  await tx.query(
    `/* cancelSuspend */ update fleetprompt.tenant_operations
     set status = 'cancelled', cancel_requested = true, lease_token = lease_token + 1, leased_until = null, leased_by = null,
       updated_at = now(), finished_at = now()
     where tenant = $1 and kind = 'suspend' and status in ('waiting', 'running')`,
    [tenant],
  )
}

/** What time it is at the database, milliseconds since 1970. */
export async function selectNowMs(tx: Queryable): Promise<number> {
  const [row] = await tx.query<{ now: number }>(
    `/* selectNowMs */ select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`,
  )
  return row?.now ?? 0
}
