import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "./database.ts"

/** running, rolling_back: processes work on it; stopped: somebody decides how it goes on. */
export type RolloutStatus = "running" | "stopped" | "completed" | "cancelled" | "rolling_back" | "rolled_back"

/** What a health gate said. */
export interface RolloutVerdict {
  /** After which wave; 0 is the canary. */
  readonly wave: number
  readonly healthy: boolean
  /** Why, for people. */
  readonly reason: string
  /** What it went by. */
  readonly figures: JsonObject
  /** RFC 3339. */
  readonly at: string
}

/** The upgrade of a package in many tenants. */
export interface RolloutRecord {
  readonly id: string
  readonly package: string
  /** Which the tenants get. */
  readonly version: string
  readonly status: RolloutStatus
  /** Grows each time it goes on. */
  readonly run: number
  /** Which is under way, or was the last; 0 is the canary. */
  readonly wave: number
  /** The last wave after which the gate passed; -1 before any. */
  readonly passedWave: number
  /** Tenants that the canary takes besides those that were named. */
  readonly canary: number
  readonly waveSize: number
  readonly concurrency: number
  readonly maxFailed: number
  readonly gate: { readonly check: string; readonly params: JsonObject; readonly waitMs: number }
  /** What the gate said last. */
  readonly verdict: RolloutVerdict | null
  /** Why it was stopped. */
  readonly stopReason: string | null
  /** `kind:id` */
  readonly createdBy: string
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly endedAt: Date | null
}

const COLUMNS = `id, package, version, status, run, wave, passed_wave as "passedWave", canary, wave_size as "waveSize", concurrency,
  max_failed as "maxFailed", jsonb_build_object('check', gate_check, 'params', gate_params, 'waitMs', gate_wait_ms) as gate,
  verdict, stop_reason as "stopReason", created_by as "createdBy", created_at as "createdAt", updated_at as "updatedAt",
  ended_at as "endedAt"`

/** A rollout to be stored. */
export type NewRollout = Pick<
  RolloutRecord,
  "id" | "package" | "version" | "canary" | "waveSize" | "concurrency" | "maxFailed" | "gate" | "createdBy"
>

/** @returns undefined when another one works on the package */
export async function insertRollout(tx: Queryable, fresh: NewRollout): Promise<RolloutRecord | undefined> {
  const { gate } = fresh
  const [row] = await tx.query<RolloutRecord>(
    `/* insertRollout */ insert into fleetprompt.package_rollouts
       (id, package, version, canary, wave_size, concurrency, max_failed, gate_check, gate_params, gate_wait_ms, created_by)
     values ($1::text::uuid, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, $11)
     on conflict (package) where status in ('running', 'rolling_back') do nothing returning ${COLUMNS}`,
    [
      fresh.id,
      fresh.package,
      fresh.version,
      fresh.canary,
      fresh.waveSize,
      fresh.concurrency,
      fresh.maxFailed,
      gate.check,
      JSON.stringify(gate.params),
      gate.waitMs,
      fresh.createdBy,
    ],
  )
  return row
}

/** One by its id. @param isLocked whether it is kept from changing until the transaction ends */
export async function selectRollout(tx: Queryable, id: string, isLocked = false): Promise<RolloutRecord | undefined> {
  const [row] = await tx.query<RolloutRecord>(
    `/* selectRollout */ select ${COLUMNS} from fleetprompt.package_rollouts where id = $1::text::uuid
     ${isLocked ? "for update" : ""}`,
    [id],
  )
  return row
}

/** The newest first. @param slug only those of this package */
export function selectRollouts(tx: Queryable, slug: string | null, limit: number): Promise<readonly RolloutRecord[]> {
  return tx.query<RolloutRecord>(
    `/* selectRollouts */ select ${COLUMNS} from fleetprompt.package_rollouts
     where $1::text is null or package = $1 order by created_at desc, id desc limit $2`,
    [slug, limit],
  )
}

/** Has it go on from the canary, to the same version or another one. @returns undefined when another works on the package */
export async function restartRollout(
  tx: Queryable,
  id: string,
  status: "running" | "rolling_back",
  version: string | null,
): Promise<RolloutRecord | undefined> {
  const [row] = await tx.query<RolloutRecord>(
    `/* restartRollout */ update fleetprompt.package_rollouts as rollout
     set status = $2, version = coalesce($3, version), run = run + 1, wave = 0, passed_wave = -1, stop_reason = null,
       ended_at = null, updated_at = now()
     where id = $1::text::uuid and not exists (
       select from fleetprompt.package_rollouts as other where other.package = rollout.package and other.id <> rollout.id
         and other.status in ('running', 'rolling_back'))
     returning ${COLUMNS}`,
    [id, status, version],
  )
  return row
}

/** Ends a run; one that was stopped may only be cancelled. @returns undefined when it had ended, or another run has begun */
export async function endRollout(
  tx: Queryable,
  { id, run }: Pick<RolloutRecord, "id" | "run">,
  status: Exclude<RolloutStatus, "running" | "rolling_back">,
  reason: string | null,
): Promise<RolloutRecord | undefined> {
  const [row] = await tx.query<RolloutRecord>(
    `/* endRollout */ update fleetprompt.package_rollouts
     set status = $3, stop_reason = $4, updated_at = now(), ended_at = now()
     where id = $1::text::uuid and run = $2
       and (status in ('running', 'rolling_back') or (status = 'stopped' and $3 = 'cancelled')) returning ${COLUMNS}`,
    [id, run, status, reason],
  )
  return row
}

/** Notes what the gate said. */
export async function noteVerdict(
  tx: Queryable,
  { id, run }: Pick<RolloutRecord, "id" | "run">,
  verdict: Omit<RolloutVerdict, "at">,
): Promise<void> {
  await tx.query(
    `/* noteVerdict */ update fleetprompt.package_rollouts
     set verdict = $3::text::jsonb || jsonb_build_object('at', now()), passed_wave = case when $4::boolean then greatest(passed_wave, $5::integer) else passed_wave end,
       updated_at = now()
     where id = $1::text::uuid and run = $2 and status = 'running'`,
    [id, run, JSON.stringify(verdict), verdict.healthy, verdict.wave],
  )
}

/** Begins the wave after one, unless it has begun. */
export async function beginWave(
  tx: Queryable,
  { id, run, wave }: Pick<RolloutRecord, "id" | "run" | "wave">,
): Promise<boolean> {
  const rows = await tx.query(
    `/* beginWave */ update fleetprompt.package_rollouts set wave = wave + 1, updated_at = now()
     where id = $1::text::uuid and run = $2 and wave = $3 and status = 'running' returning id`,
    [id, run, wave],
  )
  return rows.length > 0
}
