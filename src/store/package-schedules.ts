import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** When a sensor looks if nothing is said: each minute. */
const SENSOR_CRON = "* * * * *"
/** Type of the signal by which a sensor is asked to look. */
export const SENSOR_DUE = "package.sensor.due"

/**
 * Makes what an installation does by the clock what its records and its state say: all of it while it is active,
 * otherwise nothing. Whoever commits it announces `bindings`; without, processes find out within a second.
 */
export async function syncPackageSchedules(
  tx: Queryable,
  { schema, slug }: TenantScope,
  installationId: string,
): Promise<void> {
  await tx.query(
    `/* syncPackageSchedules */ with wanted as (
       select record.package, record.kind, record.name, coalesce(record.data ->> 'cron', '${SENSOR_CRON}') as cron,
         coalesce(record.data ->> 'timeZone', 'UTC') as time_zone,
         case record.kind when 'schedule' then record.data -> 'emit' ->> 'type' else '${SENSOR_DUE}' end as type,
         case record.kind when 'schedule' then coalesce(record.data -> 'emit' -> 'data', '{}')
           else jsonb_build_object('sensor', record.package || '.' || record.name) end as data
       from ${schema}.package_records as record
       join ${schema}.installations as installation
         on installation.tenant = $1 and installation.id = record.installation_id and installation.status = 'active'
       where record.tenant = $1 and record.installation_id = $2::text::uuid
         and (record.kind = 'schedule' or (record.kind = 'sensor' and record.data ? 'uses'))
     ), removed as (
       delete from fleetprompt.package_schedules as old
       where old.tenant = $1 and old.installation_id = $2::text::uuid
         and not exists (select from wanted where wanted.kind = old.kind and wanted.name = old.name)
     )
     insert into fleetprompt.package_schedules as old
       (tenant, package, kind, name, installation_id, cron, time_zone, type, data)
     select $1, package, kind, name, $2::text::uuid, cron, time_zone, type, data from wanted
     on conflict (tenant, package, kind, name) do update
     set installation_id = excluded.installation_id, cron = excluded.cron, time_zone = excluded.time_zone, type = excluded.type,
       data = excluded.data, changed_tx = pg_current_xact_id(),
       enabled_at = case when (old.cron, old.time_zone) = (excluded.cron, excluded.time_zone) then old.enabled_at else now() end`,
    [slug, installationId],
  )
}

/** The same work by the clock in any number of tenants. */
export interface ScheduleGroup {
  readonly package: string
  readonly kind: "schedule" | "sensor"
  readonly name: string
  readonly cron: string
  readonly timeZone: string
}

/** What tenants do by the clock, as far as it changed in transactions that had not ended at a horizon. */
export interface ScheduleGroupChanges {
  /** The oldest transaction that was open, an xid8 as text: the next look begins there. */
  readonly horizon: string
  readonly groups: readonly ScheduleGroup[]
}

/** @param horizon of the look before; "0" for all there are */
export async function selectScheduleGroups(engine: Queryable, horizon: string): Promise<ScheduleGroupChanges> {
  const rows = await engine.query<{ readonly horizon: string } & (ScheduleGroup | { readonly package: null })>(
    `/* selectScheduleGroups */ select look.horizon::text as horizon, groups.*
     from (select pg_snapshot_xmin(pg_current_snapshot()) as horizon) as look
     left join (
       select distinct package, kind, name, cron, time_zone as "timeZone" from fleetprompt.package_schedules
       where changed_tx >= $1::text::xid8
     ) as groups on true`,
    [horizon],
  )
  return {
    // The left join answers with a row in any case.
    horizon: rows[0]?.horizon ?? horizon,
    groups: rows.flatMap(({ horizon: _, ...row }) => (row.package === null ? [] : [row])),
  }
}

/** A tenant that gets a signal at a slot. */
export interface ScheduleRecipient {
  readonly slug: string
  readonly type: string
  readonly data: JsonObject
}

/** Those tenants, of the ones that are ready, that had it before a slot, milliseconds since 1970. */
export function selectScheduleRecipients(
  engine: Queryable,
  { package: slug, kind, name, cron, timeZone }: ScheduleGroup,
  slot: number,
): Promise<readonly ScheduleRecipient[]> {
  return engine.query<ScheduleRecipient>(
    `/* selectScheduleRecipients */ select schedule.tenant as slug, schedule.type, schedule.data
     from fleetprompt.package_schedules as schedule
     join fleetprompt.tenants as tenant on tenant.slug = schedule.tenant and tenant.status = 'ready'
     where schedule.package = $1 and schedule.kind = $2 and schedule.name = $3 and schedule.cron = $4 and schedule.time_zone = $5
       and schedule.enabled_at <= $6::timestamptz order by schedule.tenant`,
    [slug, kind, name, cron, timeZone, new Date(slot).toISOString()],
  )
}
