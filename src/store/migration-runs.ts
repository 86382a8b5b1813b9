import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "./database.ts"
import type { TenantClass } from "./tenants.ts"

/** queued: to be begun, or to be tried again; failed: given up, its tenant is in quarantine; skipped: left at its version. */
export type MigrationStatus = "queued" | "running" | "completed" | "failed" | "skipped"

/** provision: the schema is made or completed; upgrade: it was complete; shared: the schema of many tenants. */
export type MigrationRunKind = "provision" | "upgrade" | "shared"

/** lock: a lock was not to be had; database: the server had trouble; statement: a migration's own statement failed. */
export type MigrationErrorKind = "lock" | "database" | "statement" | "other"

/** Why an attempt failed. */
export interface MigrationError {
  readonly kind: MigrationErrorKind
  readonly message: string
  /** The migration's file, and what Postgres calls the error. */
  readonly details: JsonObject
}

/** One schema brought to one version. */
export interface MigrationRun {
  readonly id: string
  /** The tenant's slug, or `*` for all tenants of the shared schema. */
  readonly tenant: string
  readonly schemaName: string
  /** Version of the package that asked for it. */
  readonly release: string
  readonly fromVersion: number
  readonly toVersion: number
  readonly kind: MigrationRunKind
  readonly status: MigrationStatus
  /** Attempts so far. */
  readonly attempt: number
  readonly requests: number
  /** The platform's signal that asks for it, once it is emitted. */
  readonly signalId: string | null
  readonly correlationId: string | null
  /** Of the last attempt that failed. */
  readonly error: MigrationError | null
  /** RFC 3339. */
  readonly queuedAt: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
}

/** A run that is to be asked for. */
export type NewRun = Pick<MigrationRun, "tenant" | "schemaName" | "release" | "fromVersion" | "toVersion" | "kind">

interface Asker {
  /** The signal that had asked for it. */
  readonly askedBy: string | null
}

/** A run about which somebody decided. */
export type DecidedRun = MigrationRun & Asker

interface RunRow extends Omit<MigrationRun, "error" | "queuedAt" | "startedAt" | "finishedAt"> {
  readonly errorKind: MigrationErrorKind | null
  readonly errorMessage: string | null
  readonly errorDetails: JsonObject | null
  readonly queuedAt: Date
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
}

const COLUMNS = `id, tenant, schema_name as "schemaName", release, from_version as "fromVersion", to_version as "toVersion",
  kind, status, attempt, requests, signal_id as "signalId", correlation_id as "correlationId", error_kind as "errorKind",
  error_message as "errorMessage", error_details as "errorDetails", queued_at as "queuedAt", started_at as "startedAt",
  finished_at as "finishedAt"`

/** The run is the one to the highest version of its schema: those before it are history. */
const IS_LAST = `to_version = (
       select max(newer.to_version) from fleetprompt.migration_runs as newer where newer.schema_name = run.schema_name)`

/**
 * Notes what is to be migrated. A run that waits, runs, failed or was skipped stays as it is; one that was completed,
 * yet is asked for again, since a backup turned the schema back, is queued once more.
 */
export async function insertRuns(tx: Queryable, runs: readonly NewRun[]): Promise<void> {
  await tx.query(
    `/* insertRuns */ insert into fleetprompt.migration_runs as run
       (tenant, schema_name, release, from_version, to_version, kind)
     select tenant, "schemaName", release, "fromVersion", "toVersion", kind from json_to_recordset($1::text::json) as run
       (tenant text, "schemaName" text, release text, "fromVersion" integer, "toVersion" integer, kind text)
     order by 2
     on conflict (schema_name, to_version) do update set status = 'queued', requests = run.requests + 1, attempt = 0,
       from_version = excluded.from_version, release = excluded.release, signal_id = null, queued_at = now(),
       started_at = null, finished_at = null
     where run.status = 'completed'`,
    [JSON.stringify(runs)],
  )
}

/** A run whose signal was not emitted yet. */
export interface UnaskedRun extends Pick<MigrationRun, "id" | "tenant" | "toVersion" | "requests"> {
  /** The class of its tenant; null for the shared schema. */
  readonly class: TenantClass | null
}

/** Runs whose signals were not emitted yet, at most so many. */
export async function selectUnasked(tx: Queryable, limit: number): Promise<readonly UnaskedRun[]> {
  return tx.query<UnaskedRun>(
    `/* selectUnasked */ select run.id, run.tenant, run.to_version as "toVersion", run.requests, home.class
     from fleetprompt.migration_runs as run left join fleetprompt.tenants as home on home.slug = run.tenant
     where run.status = 'queued' and run.signal_id is null order by run.queued_at, run.tenant limit $1`,
    [limit],
  )
}

/** Notes by which signals runs were asked for. */
export async function updateAsked(
  tx: Queryable,
  asked: readonly { readonly id: string; readonly signalId: string; readonly correlationId: string }[],
): Promise<void> {
  await tx.query(
    `/* updateAsked */ update fleetprompt.migration_runs as run
     set signal_id = asked."signalId", correlation_id = asked."correlationId"
     from json_to_recordset($1::text::json) as asked (id uuid, "signalId" uuid, "correlationId" text)
     where run.id = asked.id and run.signal_id is null`,
    [JSON.stringify(asked)],
  )
}

/**
 * Notes that an attempt begins.
 *
 * @returns undefined when nothing is to be done any more.
 */
export async function beginRun(tx: Queryable, id: string, attempt: number): Promise<MigrationRun | undefined> {
  const [row] = await tx.query<RunRow>(
    `/* beginRun */ update fleetprompt.migration_runs set status = 'running', attempt = $2, started_at = now(), finished_at = null
     where id = $1 and status in ('queued', 'running', 'failed') returning ${COLUMNS}`,
    [id, attempt],
  )
  return row && toRun(row)
}

/** Notes that a run's schema has the version that was asked for. */
export async function completeRun(tx: Queryable, id: string): Promise<void> {
  await tx.query(
    `/* completeRun */ update fleetprompt.migration_runs set status = 'completed', finished_at = now(), error_kind = null,
       error_message = null, error_details = null where id = $1`,
    [id],
  )
}

/** Notes why an attempt ended. queued: there will be another; failed: there will be none. */
export async function endAttempt(
  tx: Queryable,
  id: string,
  status: "queued" | "failed",
  error: MigrationError | null,
): Promise<void> {
  await tx.query(
    `/* endAttempt */ update fleetprompt.migration_runs set status = $2, finished_at = now(),
       error_kind = coalesce($3, error_kind), error_message = coalesce($4, error_message),
       error_details = coalesce($5::text::jsonb, error_details)
     where id = $1 and status in ('queued', 'running')`,
    [id, status, error?.kind ?? null, error?.message ?? null, error ? JSON.stringify(error.details) : null],
  )
}

/**
 * Takes failed runs up again, all or those of one tenant, and skipped ones of that.
 *
 * @returns those that were, with the signal that had asked for each; another is to ask for it now.
 */
export async function requeueRuns(tx: Queryable, tenant?: string): Promise<readonly DecidedRun[]> {
  const rows = await tx.query<RunRow & Asker>(
    `/* requeueRuns */ with picked as (
       select id as picked_id, signal_id as asked_by from fleetprompt.migration_runs as run
       where (status = 'failed' or (status = 'skipped' and tenant = $1)) and ($1::text is null or tenant = $1) and ${IS_LAST}
       for update
     )
     update fleetprompt.migration_runs set status = 'queued', attempt = 0, queued_at = now(), started_at = null,
       finished_at = null, signal_id = null, requests = requests + 1
     from picked where id = picked_id returning ${COLUMNS}, asked_by as "askedBy"`,
    [tenant ?? null],
  )
  return rows.map(toRun)
}

/** Leaves a tenant's failed runs as they are. @returns those that were. */
export async function skipRuns(tx: Queryable, tenant: string): Promise<readonly DecidedRun[]> {
  const rows = await tx.query<RunRow & Asker>(
    `/* skipRuns */ update fleetprompt.migration_runs set status = 'skipped', finished_at = now()
     where tenant = $1 and status = 'failed' returning ${COLUMNS}, signal_id as "askedBy"`,
    [tenant],
  )
  return rows.map(toRun)
}

/** Which runs. */
export interface RunFilter {
  readonly tenant?: string
  readonly status?: MigrationStatus
  /** At most so many. */
  readonly limit: number
}

/** Runs, the newest first. */
export async function selectRuns(
  tx: Queryable,
  { tenant, status, limit }: RunFilter,
): Promise<readonly MigrationRun[]> {
  const rows = await tx.query<RunRow>(
    `/* selectRuns */ select ${COLUMNS} from fleetprompt.migration_runs as run
     where case when $1::text is null then ${IS_LAST} else tenant = $1 end and ($2::text is null or status = $2)
     order by queued_at desc, tenant, to_version desc limit $3`,
    [tenant ?? null, status ?? null, limit],
  )
  return rows.map(toRun)
}

/** Runs that are to be done, by the signals that ask for them. */
export async function selectOpenRuns(tx: Queryable, signalIds: readonly string[]): Promise<readonly MigrationRun[]> {
  const rows = await tx.query<RunRow>(
    `/* selectOpenRuns */ select ${COLUMNS} from fleetprompt.migration_runs
     where signal_id = any($1::uuid[]) and status in ('queued', 'running')`,
    [signalIds],
  )
  return rows.map(toRun)
}

/** How migrations stand: of each schema only the run to the highest version counts. */
export interface RunCounts {
  readonly queued: number
  readonly running: number
  readonly completed: number
  readonly failed: number
  readonly skipped: number
  /** Completed at the first attempt. */
  readonly firstTime: number
  /** How long completed runs took from the beginning of their last attempt, milliseconds; null when there are none. */
  readonly p50Ms: number | null
  readonly p95Ms: number | null
}

/** Counts the last run of each schema by status, or that of one tenant. */
export async function countRuns(tx: Queryable, tenant?: string): Promise<RunCounts> {
  const [row] = await tx.query<RunCounts>(
    `/* countRuns */ with last as (
       select distinct on (schema_name) status, attempt, extract(epoch from finished_at - started_at) * 1000 as ms
       from fleetprompt.migration_runs where $1::text is null or tenant = $1 order by schema_name, to_version desc
     )
     select count(*) filter (where status = 'queued')::float8 as queued,
       count(*) filter (where status = 'running')::float8 as running,
       count(*) filter (where status = 'completed')::float8 as completed,
       count(*) filter (where status = 'failed')::float8 as failed,
       count(*) filter (where status = 'skipped')::float8 as skipped,
       count(*) filter (where status = 'completed' and attempt <= 1)::float8 as "firstTime",
       (percentile_cont(0.5) within group (order by ms) filter (where status = 'completed'))::float8 as "p50Ms",
       (percentile_cont(0.95) within group (order by ms) filter (where status = 'completed'))::float8 as "p95Ms"
     from last`,
    [tenant ?? null],
  )
  // A count without groups answers with one row.
  return row as RunCounts
}

/** How many tenants have which version. */
export interface VersionCount {
  readonly version: number
  readonly tenants: number
  readonly quarantined: number
}

/** Counts tenants by the version of their schemas, the oldest first. */
export async function countVersions(tx: Queryable): Promise<readonly VersionCount[]> {
  return tx.query<VersionCount>(
    `/* countVersions */ select schema_version as version, count(*)::float8 as tenants,
       count(quarantined_at)::float8 as quarantined
     from fleetprompt.tenants where status not in ('deleted', 'elsewhere') and slug <> 'fleetprompt' group by 1 order by 1`,
  )
}

function toRun<Row extends RunRow>({ errorKind, errorMessage, errorDetails, ...row }: Row) {
  return {
    ...row,
    error: errorKind && { kind: errorKind, message: errorMessage ?? "", details: errorDetails ?? {} },
    queuedAt: row.queuedAt.toISOString(),
    startedAt: row.startedAt?.toISOString() ?? null,
    finishedAt: row.finishedAt?.toISOString() ?? null,
  }
}
