import type { Queryable } from "./database.ts"

/** A schedule as the control schema has it. Whoever holds the lease fires `nextSlot`; it moves when that is done. */
export interface ScheduleRecord {
  readonly name: string
  readonly cron: string
  readonly timeZone: string
  /** The first slot that was not fired. */
  readonly nextSlot: Date
  /** The last slot that was fired. */
  readonly lastSlot: Date | null
  /** When that was done. */
  readonly lastFiredAt: Date | null
  /** Until when nobody but the holder fires it. */
  readonly leasedUntil: Date | null
  readonly leasedBy: string | null
  /** Since when it is left alone. */
  readonly pausedAt: Date | null
}

const COLUMNS = `name, cron, time_zone as "timeZone", next_slot as "nextSlot", last_slot as "lastSlot",
  last_fired_at as "lastFiredAt", leased_until as "leasedUntil", leased_by as "leasedBy", paused_at as "pausedAt"`

/** All schedules by name, also those that no code has any more. */
export async function selectSchedules(db: Queryable): Promise<readonly ScheduleRecord[]> {
  return db.query<ScheduleRecord>(`/* selectSchedules */ select ${COLUMNS} from fleetprompt.schedules order by name`)
}

/** Some schedules, and the database's clock. */
export interface SchedulesNow {
  readonly now: Date
  readonly schedules: readonly ScheduleRecord[]
}

/** The schedules with these names, as they are at this moment of the database's clock. */
export async function selectSchedulesNow(db: Queryable, names: readonly string[]): Promise<SchedulesNow> {
  const rows = await db.query<{ now: Date } & (ScheduleRecord | { name: null })>(
    `/* selectSchedulesNow */ select clock.now, schedule.* from (select now()) as clock
     left join (select ${COLUMNS} from fleetprompt.schedules) as schedule
       on schedule.name in (select json_array_elements_text($1::text::json))`,
    [JSON.stringify(names)],
  )
  return {
    // The clock is there even when no schedule is.
    now: rows[0]?.now ?? new Date(),
    schedules: rows.filter((row): row is { now: Date } & ScheduleRecord => row.name !== null),
  }
}

/** A schedule as code defines it, with the first slot to come. */
export interface NewSchedule {
  readonly name: string
  readonly cron: string
  readonly timeZone: string
  readonly nextSlot: number
}

/** Records a schedule. One that is there with another expression or zone begins anew, and whoever fires it is stopped. */
export async function upsertSchedule(db: Queryable, { name, cron, timeZone, nextSlot }: NewSchedule): Promise<void> {
  await db.query(
    `/* upsertSchedule */ insert into fleetprompt.schedules as old (name, cron, time_zone, next_slot)
     values ($1, $2, $3, $4::timestamptz)
     on conflict (name) do update
     set cron = excluded.cron, time_zone = excluded.time_zone, next_slot = excluded.next_slot,
       leased_until = null, leased_by = null
     where (old.cron, old.time_zone) <> (excluded.cron, excluded.time_zone)`,
    [name, cron, timeZone, instant(nextSlot)],
  )
}

/** A slot that one process fires, while it holds the lease. */
export interface SlotHold {
  readonly name: string
  readonly worker: string
  /** Milliseconds since 1970. */
  readonly slot: number
}

/** What a process that wants to fire a slot believes of the schedule. */
export interface SlotClaim extends SlotHold {
  readonly cron: string
  readonly timeZone: string
  /** The schedule's next slot. The slot to be fired is this one or a later one, when those between are left out. */
  readonly expected: number
  readonly leaseMs: number
}

/** Takes the lease of a slot that has come, unless another holds it or the schedule is not as believed. */
export async function claimSlot(db: Queryable, claim: SlotClaim): Promise<boolean> {
  const rows = await db.query(
    `/* claimSlot */ update fleetprompt.schedules
     set next_slot = $6::timestamptz, leased_by = $4::text,
       leased_until = now() + $7::float8 * interval '1 millisecond'
     where name = $1 and cron = $2 and time_zone = $3 and next_slot = $5::timestamptz and $6::timestamptz <= now()
       and paused_at is null and (leased_until is null or leased_until <= now() or leased_by = $4::text)
     returning name`,
    [claim.name, claim.cron, claim.timeZone, claim.worker, instant(claim.expected), instant(claim.slot), claim.leaseMs],
  )
  return rows.length === 1
}

/** Prolongs the lease; false when it is lost. */
export async function extendSlot(db: Queryable, { name, worker, slot }: SlotHold, leaseMs: number): Promise<boolean> {
  const rows = await db.query(
    `/* extendSlot */ update fleetprompt.schedules set leased_until = now() + $4::float8 * interval '1 millisecond'
     where name = $1 and leased_by = $2 and next_slot = $3::timestamptz returning name`,
    [name, worker, instant(slot), leaseMs],
  )
  return rows.length === 1
}

/** Notes that a slot was fired and gives up the lease; false when it was lost before. */
export async function finishSlot(db: Queryable, { name, worker, slot }: SlotHold, nextSlot: number): Promise<boolean> {
  const rows = await db.query(
    `/* finishSlot */ update fleetprompt.schedules
     set next_slot = $4::timestamptz, last_slot = next_slot, last_fired_at = now(), leased_until = null, leased_by = null
     where name = $1 and leased_by = $2 and next_slot = $3::timestamptz returning name`,
    [name, worker, instant(slot), instant(nextSlot)],
  )
  return rows.length === 1
}

/** Leaves slots out: moves on from one that nobody fires; false when the schedule is not as believed. */
export async function skipSlots(db: Queryable, name: string, expected: number, nextSlot: number): Promise<boolean> {
  const rows = await db.query(
    `/* skipSlots */ update fleetprompt.schedules set next_slot = $3::timestamptz, leased_until = null, leased_by = null
     where name = $1 and next_slot = $2::timestamptz and paused_at is null
       and (leased_until is null or leased_until <= now())
     returning name`,
    [name, instant(expected), instant(nextSlot)],
  )
  return rows.length === 1
}

/** Gives up the leases that a process still holds, so that others need not wait for their end. */
export async function releaseSlots(db: Queryable, worker: string): Promise<void> {
  await db.query(
    `/* releaseSlots */ update fleetprompt.schedules set leased_until = null, leased_by = null where leased_by = $1`,
    [worker],
  )
}

/** Leaves a schedule alone until it is resumed; false when there is none with this name. */
export async function pauseSchedule(db: Queryable, name: string): Promise<boolean> {
  const rows = await db.query(
    `/* pauseSchedule */ update fleetprompt.schedules set paused_at = coalesce(paused_at, now())
     where name = $1 returning name`,
    [name],
  )
  return rows.length === 1
}

/** Lets a paused schedule go on at a slot; one that is being fired goes on by itself. @returns whether it was paused */
export async function resumeSchedule(db: Queryable, name: string, nextSlot: number): Promise<boolean> {
  const rows = await db.query(
    `/* resumeSchedule */ update fleetprompt.schedules
     set paused_at = null, next_slot = case when leased_until > now() then next_slot else $2::timestamptz end
     where name = $1 and paused_at is not null returning name`,
    [name, instant(nextSlot)],
  )
  return rows.length === 1
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
