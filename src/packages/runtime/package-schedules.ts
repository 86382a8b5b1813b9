import { createHash } from "node:crypto"
import type { Schedule } from "../../delivery/schedule.ts"
import { parseSlots } from "../../delivery/slots.ts"
import type { Scheduler } from "../../delivery/scheduler.ts"
import type { Queryable } from "../../store/database.ts"
import { RepeatedLook } from "../../store/repeated-look.ts"
import { type ScheduleGroup, selectScheduleGroups, selectScheduleRecipients } from "../../store/package-schedules.ts"
import type { Telemetry } from "../../telemetry/telemetry.ts"

/** What packages' schedules are run with. */
export interface PackageSchedulesDeps {
  /** For the engine's own statements. */
  readonly engine: Queryable
  readonly scheduler: Pick<Scheduler, "bring" | "drop">
  readonly telemetry: Pick<Telemetry, "tell">
  /** How often to ask what has changed when nothing is announced, milliseconds. Default 5,000. */
  readonly lookMs?: number
  /** How often what no tenant has any more is dropped, milliseconds. Default one hour. */
  readonly forgetEveryMs?: number
}

const DEFAULT_LOOK_MS = 5_000
const DEFAULT_FORGET_EVERY_MS = 3_600_000

/**
 * Has the scheduler fire what tenants' packages do by the clock. Tenants whose packages name the same moments share one
 * of its schedules, so there are as many as versions differ, not as tenants have them. Who gets a signal is asked at
 * each slot: what was disabled or uninstalled a moment before gets none. What is new is found within five
 * seconds, though no announcement be heard.
 */
export class PackageSchedules {
  readonly #deps: PackageSchedulesDeps
  readonly #forgetEveryMs: number
  #forgetAt: number
  #brought: ReadonlySet<string> = new Set()
  #horizon = "0"
  readonly #looks: RepeatedLook
  #isStarted = false

  constructor(deps: PackageSchedulesDeps) {
    this.#deps = deps
    this.#forgetEveryMs = deps.forgetEveryMs ?? DEFAULT_FORGET_EVERY_MS
    this.#forgetAt = performance.now() + this.#forgetEveryMs
    this.#looks = new RepeatedLook({
      look: () => this.#look(),
      onError: (error) => this.#tell(error),
      restMs: () => deps.lookMs ?? DEFAULT_LOOK_MS,
    })
  }

  /** Takes up all there are, and looks for others from now on, until it is stopped. */
  start(): void {
    this.#isStarted = true
    this.heard()
  }

  /** Something may have changed: looks at once. A process that fires nothing has no use for it. */
  heard(): void {
    if (this.#isStarted) this.#looks.now()
  }

  /** Ends the look under way; there is none after it. */
  stop(): Promise<void> {
    return this.#looks.stop()
  }

  async #look(): Promise<void> {
    const { engine, scheduler } = this.#deps
    const { horizon, groups } = await selectScheduleGroups(engine, this.#horizon)
    const schedules = groups.flatMap((group) => this.#scheduleOf(group) ?? [])
    scheduler.bring(schedules)
    this.#brought = new Set([...this.#brought, ...schedules.map(({ name }) => name)])
    this.#horizon = horizon
    if (performance.now() >= this.#forgetAt) await this.#forget()
  }

  /** What comes while this asks is found by the next look, whose horizon is older. */
  async #forget(): Promise<void> {
    this.#forgetAt = performance.now() + this.#forgetEveryMs
    const { groups } = await selectScheduleGroups(this.#deps.engine, "0")
    const there = new Set(groups.map(nameOf))
    const gone = [...this.#brought].filter((name) => !there.has(name))
    this.#brought = new Set([...this.#brought].filter((name) => there.has(name)))
    this.#deps.scheduler.drop(gone)
  }

  /** One that cannot be read keeps none of the others from their slots. */
  #scheduleOf(group: ScheduleGroup): Schedule | undefined {
    try {
      return scheduleOf(group, this.#deps.engine)
    } catch (error) {
      this.#tell(error)
      return undefined
    }
  }

  #tell(error: unknown): void {
    this.#deps.telemetry.tell("background.failed", { step: "schedule", error })
  }
}

/** @throws FleetPromptError `schedule_invalid` */
function scheduleOf(group: ScheduleGroup, engine: Queryable): Schedule {
  const { package: slug, kind, name, cron, timeZone } = group
  const label = `${slug}.${name}`
  return Object.freeze({
    name: nameOf(group),
    label: kind === "schedule" ? label : `sensor:${label}`,
    cron: cron.trim(),
    timeZone,
    slots: parseSlots(label, cron, timeZone),
    // Each tenant has its own.
    type: "",
    data: {},
    source: `package:${slug}`,
    chooses: () => false,
    catchUp: "last",
    spreadMs: 0,
    recipients: (slot: number) => selectScheduleRecipients(engine, group, slot),
  })
}

/** Two versions may name other moments under one name: each has its own row. */
function nameOf({ package: slug, kind, name, cron, timeZone }: ScheduleGroup): string {
  const moments = createHash("sha256").update(`${cron} ${timeZone}`).digest("hex").slice(0, 12)
  return `packages.${slug}.${kind}.${name}.${moments}`
}
