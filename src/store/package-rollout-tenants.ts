import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** How a tenant stands in a rollout. */
export type RolloutTenantState =
  | "pending"
  | "upgrading"
  | "upgraded"
  | "unchanged"
  | "absent"
  | "suspended"
  | "failed"
  | "restoring"
  | "restored"
  | "kept"

/** A tenant of a rollout. */
export interface RolloutTenant {
  readonly tenant: string
  readonly position: number
  /** Null: not begun. 0: the canary. */
  readonly wave: number | null
  readonly state: RolloutTenantState
  /** How often it was tried anew. */
  readonly round: number
  /** What upgrades it, or rolls it back; the last one. */
  readonly directiveId: string | null
  readonly targetVersion: string | null
  /** What it had before. */
  readonly fromVersion: string | null
  /** The first directive that upgraded it, and the last. */
  readonly firstDirectiveId: string | null
  readonly upgradedBy: string | null
  /** What the last one made of it; null when nothing did, or it was taken back. */
  readonly upgradedTo: string | null
  readonly upgradedAt: Date | null
  /** Why it is as it is, for people. */
  readonly reason: string | null
  readonly beganAt: Date | null
  /** Since then, by the database's clock. */
  readonly underWayMs: number | null
  readonly endedAt: Date | null
}

const COLUMNS = `tenant, position, wave, state, round, directive_id as "directiveId", target_version as "targetVersion",
  from_version as "fromVersion", first_directive_id as "firstDirectiveId", upgraded_by as "upgradedBy",
  upgraded_to as "upgradedTo", upgraded_at as "upgradedAt", reason, began_at as "beganAt",
  (extract(epoch from now() - began_at) * 1000)::float8 as "underWayMs", ended_at as "endedAt"`

/** Adds tenants by name, in this order. @param canary how many of the first are the canary for certain */
export async function insertRolloutTenants(
  tx: Queryable,
  rolloutId: string,
  tenants: readonly string[],
  canary: number,
): Promise<void> {
  await tx.query(
    `/* insertRolloutTenants */ insert into fleetprompt.package_rollout_tenants (rollout_id, tenant, position, wave)
     select $1::text::uuid, tenant, position, case when position <= $3 then 0 end
     from json_array_elements_text($2::text::json) with ordinality as given (tenant, position)
     on conflict (rollout_id, tenant) do nothing`,
    [rolloutId, JSON.stringify(tenants), canary],
  )
}

/** Tenants that ever installed a package and are there, in an order that says nothing about them. */
export async function selectRolloutCandidates(
  tx: Queryable,
  slug: string,
  rolloutId: string,
): Promise<readonly string[]> {
  const rows = await tx.query<{ readonly tenant: string }>(
    `/* selectRolloutCandidates */ select tenant.slug as tenant from fleetprompt.tenants as tenant
     where tenant.status not in ('deleting', 'deleted', 'provisioning') and exists (
       select from fleetprompt.package_installs as install where install.tenant = tenant.slug and install.slug = $1)
     order by md5(tenant.slug || $2), tenant.slug`,
    [slug, rolloutId],
  )
  return rows.map(({ tenant }) => tenant)
}

/** Of some names those that are no tenant's. */
export async function selectUnknownTenants(tx: Queryable, tenants: readonly string[]): Promise<readonly string[]> {
  const rows = await tx.query<{ readonly tenant: string }>(
    `/* selectUnknownTenants */ select given.tenant from json_array_elements_text($1::text::json) as given (tenant)
     where not exists (select from fleetprompt.tenants where slug = given.tenant and status <> 'deleted') limit 20`,
    [JSON.stringify(tenants)],
  )
  return rows.map(({ tenant }) => tenant)
}

/** Which tenants of a rollout. What is left out restricts nothing. */
export interface RolloutTenantFilter {
  readonly states?: readonly RolloutTenantState[]
  /** Those behind this position. */
  readonly after?: number
  /** Those alone that have what the rollout made of them. */
  readonly isUpgraded?: boolean
  /** Those alone that are in a wave. */
  readonly isInWave?: boolean
  /** Those of the last wave first. Default: in their order. */
  readonly isLatestFirst?: boolean
  readonly limit: number
}

/** Of one rollout. */
export function selectRolloutTenants(
  tx: Queryable,
  rolloutId: string,
  { states, after = 0, isUpgraded = false, isInWave = false, isLatestFirst = false, limit }: RolloutTenantFilter,
): Promise<readonly RolloutTenant[]> {
  return tx.query<RolloutTenant>(
    `/* selectRolloutTenants */ select ${COLUMNS} from fleetprompt.package_rollout_tenants
     where rollout_id = $1::text::uuid and position > $2
       and ($3::text is null or state in (select json_array_elements_text($3::text::json)))
       and (not $4::boolean or wave is not null) and (not $5::boolean or upgraded_to is not null)
     order by case when $6::boolean then -wave end, position limit $7`,
    [rolloutId, after, states ? JSON.stringify(states) : null, isInWave, isUpgraded, isLatestFirst, limit],
  )
}

/** How many tenants there are in each state of each wave; null is the wave of those that were not begun. */
export interface RolloutCount {
  readonly wave: number | null
  readonly state: RolloutTenantState
  readonly count: number
  /** Since when the last of them is so, milliseconds. */
  readonly forMs: number | null
}

/** What stands where. */
export function countRolloutTenants(tx: Queryable, rolloutId: string): Promise<readonly RolloutCount[]> {
  return tx.query<RolloutCount>(
    `/* countRolloutTenants */ select wave, state, count(*)::integer as count,
       (extract(epoch from now() - max(ended_at)) * 1000)::float8 as "forMs"
     from fleetprompt.package_rollout_tenants where rollout_id = $1::text::uuid group by wave, state`,
    [rolloutId],
  )
}

/** Takes the next tenants that were not begun into a wave. @returns how many */
export async function assignWave(tx: Queryable, rolloutId: string, wave: number, count: number): Promise<number> {
  const rows = await tx.query(
    `/* assignWave */ update fleetprompt.package_rollout_tenants set wave = $2
     where rollout_id = $1::text::uuid and state = 'pending' and wave is null and tenant in (
       select tenant from fleetprompt.package_rollout_tenants
       where rollout_id = $1::text::uuid and state = 'pending' and wave is null order by position limit $3)
     returning tenant`,
    [rolloutId, wave, count],
  )
  return rows.length
}

/** A directive was ordered for a tenant. */
export async function beginRolloutTenant(
  tx: Queryable,
  rolloutId: string,
  { tenant, round }: Pick<RolloutTenant, "tenant" | "round">,
  begun: {
    readonly state: "upgrading" | "restoring"
    readonly directiveId: string
    readonly targetVersion: string
    readonly fromVersion: string | null
  },
): Promise<void> {
  await tx.query(
    `/* beginRolloutTenant */ update fleetprompt.package_rollout_tenants
     set state = $4, directive_id = $5::text::uuid, target_version = $6, from_version = coalesce(from_version, $7),
       reason = null, began_at = now(), ended_at = null
     where rollout_id = $1::text::uuid and tenant = $2 and round = $3 and state in ('pending', 'upgraded')`,
    [rolloutId, tenant, round, begun.state, begun.directiveId, begun.targetVersion, begun.fromVersion],
  )
}

/** Nothing is under way for a tenant, or nothing any more. Only the round that is under way may say so. */
export async function endRolloutTenant(
  tx: Queryable,
  rolloutId: string,
  { tenant, round }: Pick<RolloutTenant, "tenant" | "round">,
  state: RolloutTenantState,
  reason: string | null,
): Promise<void> {
  await tx.query(
    `/* endRolloutTenant */ update fleetprompt.package_rollout_tenants set state = $4, reason = $5, ended_at = now(),
       upgraded_to = case when $4 = 'restored' then null else upgraded_to end
     where rollout_id = $1::text::uuid and tenant = $2 and round = $3`,
    [rolloutId, tenant, round, state, reason],
  )
}

/** A tenant has what the rollout is to make of it. */
export async function noteUpgraded(
  tx: Queryable,
  rolloutId: string,
  { tenant, round }: Pick<RolloutTenant, "tenant" | "round">,
  upgradedAt: Date | null,
): Promise<void> {
  await tx.query(
    `/* noteUpgraded */ update fleetprompt.package_rollout_tenants
     set state = 'upgraded', reason = null, ended_at = now(), upgraded_at = coalesce($4::timestamptz, now()), upgraded_to = target_version,
       upgraded_by = directive_id, first_directive_id = coalesce(first_directive_id, directive_id)
     where rollout_id = $1::text::uuid and tenant = $2 and round = $3 and state = 'upgrading'`,
    [rolloutId, tenant, round, upgradedAt?.toISOString() ?? null],
  )
}

/** What was not done is to be done anew. @param withUpgraded what was done too, since the version is another one */
export async function renewRolloutTenants(tx: Queryable, rolloutId: string, withUpgraded: boolean): Promise<void> {
  await tx.query(
    `/* renewRolloutTenants */ update fleetprompt.package_rollout_tenants
     set state = 'pending', round = round + 1, wave = case when wave = 0 then 0 end, reason = null, ended_at = null
     where rollout_id = $1::text::uuid and (state not in ('upgrading', 'upgraded') or ($2::boolean and state = 'upgraded'))`,
    [rolloutId, withUpgraded],
  )
}

/** What has what the rollout made of it is to be taken back. */
export async function renewUpgraded(tx: Queryable, rolloutId: string): Promise<void> {
  await tx.query(
    `/* renewUpgraded */ update fleetprompt.package_rollout_tenants
     set state = 'upgraded', round = round + 1, reason = null
     where rollout_id = $1::text::uuid and upgraded_to is not null and state <> 'upgrading'`,
    [rolloutId],
  )
}

/** What came of the attempts of some handlers in a tenant since a moment. */
export interface AttemptCounts {
  readonly attempts: number
  /** Those that failed, whether they are tried again or not. */
  readonly failed: number
}

/** @param handlers their names */
export async function countAttemptsSince(
  tx: Queryable,
  { schema, slug }: TenantScope,
  handlers: readonly string[],
  since: Date,
): Promise<AttemptCounts> {
  const [row] = await tx.query<AttemptCounts>(
    `/* countAttemptsSince */ select count(*)::integer as attempts,
       (count(*) filter (where outcome <> 'done'))::integer as failed
     from ${schema}.attempts where tenant = $1 and outcome in ('done', 'failed', 'dead', 'lost')
       and finished_at >= $3::timestamptz and handler in (select json_array_elements_text($2::text::json))`,
    [slug, JSON.stringify(handlers), since.toISOString()],
  )
  return row ?? { attempts: 0, failed: 0 }
}
