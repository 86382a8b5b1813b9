import { setTimeout as sleep } from "node:timers/promises"
import { FleetPromptError } from "../errors.ts"
import type { Queryable } from "../store/database.ts"
import {
  claimSlot,
  extendSlot,
  finishSlot,
  releaseSlots,
  type ScheduleRecord,
  selectSchedulesNow,
  skipSlots,
  type SlotHold,
  upsertSchedule,
} from "../store/schedules.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { Alarm } from "./alarm.ts"
import { MAX_MADE_UP, planSlot } from "./catch-up.ts"
import { type EmitSlotDeps, emitSlot } from "./emit-slot.ts"
import type { Schedule } from "./schedule.ts"

/** What the scheduler works with. */
export interface SchedulerDeps extends Omit<EmitSlotDeps, "onError"> {
  /** Names this process as the holder of leases. */
  readonly workerName: string
  readonly database: Queryable
  readonly schedules: readonly Schedule[]
  readonly telemetry: Telemetry
  /** How long a lease holds without being prolonged, milliseconds. Default 30,000. */
  readonly leaseMs?: number
}

const DEFAULT_LEASE_MS = 30_000
/** How often the schedules are read when no slot comes: for what others changed, and for the database's clock. */
const READ_EVERY_MS = 60_000
/** Rest after a failure. */
const RETRY_MS = 1_000

/** What this process knows of a schedule's row. Milliseconds of the database's clock. */
interface Known {
  readonly nextSlot: number
  /** Until when another process fires it; in the past when none does. */
  readonly heldUntil: number
}

/**
 * Fires schedules: at each slot one process of the fleet emits a signal into each tenant.
 *
 * The row of a schedule is the authority. It waits (nextSlot is to come, or has come and nobody began), is held (a
 * process has its lease and fires nextSlot) or is paused. Firing ends with nextSlot moved on. A process that is lost
 * meanwhile leaves it held; when the lease ends another process fires the same slot again, and the key of each signal
 * makes it one for each schedule, slot and tenant. Time is the database's: a process measures only how long ago it
 * heard it, so one whose clock is wrong fires nothing early or late.
 */
export class Scheduler {
  readonly #deps: SchedulerDeps
  readonly #leaseMs: number
  readonly #known = new Map<string, Known>()
  readonly #firing = new Map<string, Promise<void>>()
  readonly #alarm = new Alarm()
  readonly #stopping = new AbortController()
  #loop: Promise<void> | undefined
  /** The database's clock as it was heard, and our monotonic clock then. */
  #heard = { databaseMs: 0, atMs: 0 }
  /** When the rows are read again, by the database's clock. */
  #readAtMs = Number.NEGATIVE_INFINITY
  readonly #recorded = new Set<string>()
  readonly #schedules: Map<string, Schedule>
  #isStarted = false

  constructor(deps: SchedulerDeps) {
    this.#deps = deps
    this.#leaseMs = deps.leaseMs ?? DEFAULT_LEASE_MS
    this.#schedules = new Map(deps.schedules.map((schedule) => [schedule.name, schedule]))
  }

  /** Begins. Without schedules there is nothing to do, until some are brought. */
  start(): void {
    this.#isStarted = true
    if (this.#schedules.size > 0) this.#loop ??= this.#run()
  }

  /** Takes schedules up while it runs; those of names that it has stay as they are. */
  bring(schedules: readonly Schedule[]): void {
    const fresh = schedules.filter(({ name }) => !this.#schedules.has(name))
    if (fresh.length === 0 || this.#stopping.signal.aborted) return
    for (const schedule of fresh) this.#schedules.set(schedule.name, schedule)
    if (this.#isStarted) this.start()
    this.wake()
  }

  /** Fires some no more in this process; their rows stay. A slot that is being fired is finished. */
  drop(names: readonly string[]): void {
    for (const name of names) {
      this.#schedules.delete(name)
      this.#known.delete(name)
    }
  }

  /** A schedule may have changed: reads them at once. */
  wake(): void {
    this.#readAtMs = Number.NEGATIVE_INFINITY
    this.#alarm.ring()
  }

  /** Ends what is being fired after the emits under way; another process goes on with it. */
  async stop(): Promise<void> {
    this.#stopping.abort(new FleetPromptError("fleet_stopped", "the scheduler was stopped; another process goes on"))
    this.#alarm.ring()
    await this.#loop
    await Promise.all(this.#firing.values())
    if (this.#loop) await releaseSlots(this.#deps.database, this.#deps.workerName).catch(this.#tellFailure)
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        if (this.#now() >= this.#readAtMs) await this.#read()
        this.#fireDue()
        await this.#alarm.wait(this.#untilNext())
      } catch (error) {
        this.#tellFailure(error)
        await this.#alarm.wait(RETRY_MS)
      }
    }
  }

  /** What time it is at the database. */
  #now(): number {
    return this.#heard.databaseMs + performance.now() - this.#heard.atMs
  }

  async #read(): Promise<void> {
    const { database } = this.#deps
    const schedules = [...this.#schedules.values()]
    const names = schedules.map(({ name }) => name)
    const { now, schedules: rows } = await selectSchedulesNow(database, names)
    this.#heard = { databaseMs: now.getTime(), atMs: performance.now() }
    const byName = new Map(rows.map((row) => [row.name, row]))
    for (const schedule of schedules) await this.#learn(schedule, byName.get(schedule.name))
    this.#readAtMs = Math.min(this.#heard.databaseMs + READ_EVERY_MS, ...schedules.map((each) => this.#staleAt(each)))
  }

  /**
   * Only the first time a row that says something else is replaced: while two releases run side by side, the one
   * that started later has its way, and the other leaves the schedule alone.
   */
  async #learn(schedule: Schedule, row: ScheduleRecord | undefined): Promise<void> {
    const { name, cron, timeZone, slots } = schedule
    const isOurs = row?.cron === cron && row.timeZone === timeZone
    this.#known.delete(name)
    if (row && isOurs && row.pausedAt === null) this.#known.set(name, this.#knownOf(row))
    if (row && (isOurs || this.#recorded.has(name))) return void this.#recorded.add(name)
    const nextSlot = slots.after(this.#heard.databaseMs)
    await upsertSchedule(this.#deps.database, { name, cron, timeZone, nextSlot })
    this.#recorded.add(name)
    if (!row || row.pausedAt === null) this.#known.set(name, { nextSlot, heldUntil: 0 })
  }

  #knownOf({ nextSlot, leasedUntil, leasedBy }: ScheduleRecord): Known {
    const isOther = leasedUntil !== null && leasedBy !== this.#deps.workerName
    return { nextSlot: nextSlot.getTime(), heldUntil: isOther ? leasedUntil.getTime() : 0 }
  }

  /** What is known of a schedule that another process fires no longer holds when its lease ends or its next slot comes. */
  #staleAt({ name, slots }: Schedule): number {
    const known = this.#known.get(name)
    const now = this.#heard.databaseMs
    if (!known || known.heldUntil <= now) return Number.POSITIVE_INFINITY
    const following = slots.after(known.nextSlot)
    return following > now ? Math.min(known.heldUntil, following) : known.heldUntil
  }

  #fireDue(): void {
    const now = this.#now()
    for (const schedule of this.#schedules.values()) {
      const known = this.#known.get(schedule.name)
      if (!known || this.#firing.has(schedule.name) || Math.max(known.nextSlot, known.heldUntil) > now) continue
      const fired = this.#fire(schedule, known.nextSlot).finally(() => {
        this.#firing.delete(schedule.name)
        this.#alarm.ring()
      })
      this.#firing.set(schedule.name, fired)
    }
  }

  #untilNext(): number {
    const due = [...this.#known]
      .filter(([name, { nextSlot, heldUntil }]) => !this.#firing.has(name) && heldUntil < nextSlot)
      .map(([, { nextSlot }]) => nextSlot)
    // A slot is never waited for longer than the rows are trusted, so no timer is too long for setTimeout.
    return Math.max(1, Math.min(this.#readAtMs, ...due) - this.#now())
  }

  /** Whatever goes wrong, the row says what is to be done next. */
  async #fire(schedule: Schedule, nextSlot: number): Promise<void> {
    try {
      const next = await this.#doNext(schedule, nextSlot)
      if (next === undefined) this.wake()
      else if (this.#schedules.has(schedule.name)) this.#known.set(schedule.name, { nextSlot: next, heldUntil: 0 })
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#tellFailure(error)
      await sleep(RETRY_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      this.wake()
    }
  }

  /** @returns the schedule's next slot, or undefined when another process was before us. */
  async #doNext(schedule: Schedule, expected: number): Promise<number | undefined> {
    const { database, workerName: worker } = this.#deps
    const { name, cron, timeZone, slots } = schedule
    const plan = planSlot(schedule, expected, this.#now())
    if (plan.kind === "skip")
      return (await skipSlots(database, name, expected, plan.nextSlot)) ? plan.nextSlot : undefined
    const hold = { name, worker, slot: plan.slot }
    if (!(await claimSlot(database, { ...hold, cron, timeZone, expected, leaseMs: this.#leaseMs }))) return undefined
    if (plan.droppedFrom !== undefined) this.#tellFailure(dropped(name, plan.droppedFrom, plan.slot))
    return (await this.#emit(schedule, hold)) ? slots.after(plan.slot) : undefined
  }

  /** @returns false when the lease was lost. */
  async #emit(schedule: Schedule, hold: SlotHold): Promise<boolean> {
    const { database, telemetry, emitTo, listTenants } = this.#deps
    const lost = new AbortController()
    const abort = AbortSignal.any([this.#stopping.signal, lost.signal])
    const heartbeat = setInterval(() => void this.#extend(hold, lost), this.#leaseMs / 3)
    const fields = { schedule: hold.name, slot: new Date(hold.slot).toISOString() }
    const elapsed = stopwatch()
    try {
      const deps = { emitTo, listTenants, onError: this.#tellFailure }
      const tenants = await telemetry.span("schedule", fields, () => emitSlot(schedule, hold.slot, abort, deps))
      if (!(await finishSlot(database, hold, schedule.slots.after(hold.slot)))) return false
      telemetry.tell("schedule.fired", { ...fields, tenants, durationMs: elapsed() })
      return true
    } catch (error) {
      if (lost.signal.aborted) return false
      throw error
    } finally {
      clearInterval(heartbeat)
    }
  }

  async #extend(hold: SlotHold, lost: AbortController): Promise<void> {
    try {
      if (!(await extendSlot(this.#deps.database, hold, this.#leaseMs))) lost.abort()
    } catch (error) {
      this.#tellFailure(error)
    }
  }

  readonly #tellFailure = (error: unknown): void => {
    this.#deps.telemetry.tell("background.failed", { step: "schedule", error })
  }
}

function dropped(name: string, from: number, until: number): FleetPromptError {
  return new FleetPromptError(
    "schedule_slots_dropped",
    `schedule ${name} missed more than ${MAX_MADE_UP} slots; those from ${new Date(from).toISOString()} until ${new Date(until).toISOString()} are not made up for, emit what they stand for by hand if it is needed`,
  )
}
