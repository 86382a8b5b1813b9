import { FleetPromptError, isFleetPromptError } from "../errors.ts"
import { copyJson, type JsonObject, type JsonValue } from "../signal/json.ts"
import { checkType } from "../signal/signal.ts"
import type { TenantRecord } from "../store/tenants.ts"
import { parseSlots, type Slots } from "./slots.ts"

/** What a schedule knows of a tenant when it chooses. */
export type ScheduledTenant = Pick<TenantRecord, "slug" | "class">

/**
 * What becomes of slots that passed while no process ran or while the database was away. last: one run for the last
 * of them. none: no run; a slot that nobody fired within 2 minutes is left out. all: a run for each, for the last 100.
 */
export type CatchUp = "last" | "none" | "all"

/** Work by the clock: a signal for each tenant at each slot. */
export interface ScheduleDefinition {
  /** Unique in the fleet; letters, digits, `_`, `-` and dots, at most 100 characters: `report.daily`. Dedupe keys hold it, so it must not change between releases. */
  readonly name: string
  /**
   * When: minute, hour, day of month, month and day of week, with seconds before them if there are six fields, or a
   * nickname such as `@daily`. The dialect is that of croner with its rule `no-wildcard`: names of months and days;
   * `*`, `,`, `-`, `/`; `L`, `W`, `#`; a day of month or a day of week, both with `+` before the latter.
   */
  readonly cron: string
  /** Whose clock: an IANA name such as `Europe/Berlin`. Default `UTC`. */
  readonly timeZone?: string
  /** The signal. Its data gets `slot`, the slot as RFC 3339 in UTC, and `schedule`, the name. */
  readonly emit: {
    readonly type: string
    readonly data?: JsonObject
    /** Default `schedule:<name>`. */
    readonly source?: string
  }
  /** Who gets it, of the tenants that are ready. Default `all`. */
  readonly tenants?: "all" | readonly string[] | ((tenant: ScheduledTenant) => boolean)
  /** Default `last`. */
  readonly catchUp?: CatchUp
  /**
   * Divides the tenants over so many milliseconds after the slot, each at its own place, so that they do not all begin
   * at once. At most an hour, and less than there is between slots. Default 0.
   */
  readonly spreadMs?: number
}

/** A checked definition, with its defaults filled in. */
export interface Schedule {
  readonly name: string
  readonly cron: string
  readonly timeZone: string
  readonly slots: Slots
  readonly type: string
  readonly data: JsonObject
  readonly source: string
  readonly chooses: (tenant: ScheduledTenant) => boolean
  readonly catchUp: CatchUp
  readonly spreadMs: number
  /** What its signals and their keys call it. Default: the name. */
  readonly label?: string
  /** Who gets what at a slot, in place of `chooses`, `type` and `data`. */
  readonly recipients?: (slot: number) => Promise<readonly SlotRecipient[]>
}

/** A tenant that gets a signal of its own at a slot. */
export interface SlotRecipient {
  readonly slug: string
  readonly type: string
  readonly data: JsonObject
}

const NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/
const MAX_NAME = 100
const MAX_SPREAD_MS = 3_600_000
/** Between slots, for the shortest one. */
const GAPS_LOOKED_AT = 24
const CATCH_UPS: readonly unknown[] = ["last", "none", "all"] satisfies readonly CatchUp[]
/** What the scheduler says itself. */
const RESERVED = ["slot", "schedule"]

/**
 * Checks a schedule's definition.
 *
 * @throws FleetPromptError `schedule_invalid`
 * @example
 * const report = defineSchedule({
 *   name: "report.daily",
 *   cron: "0 7 * * MON-FRI",
 *   timeZone: "Europe/Berlin",
 *   emit: { type: "report.due" },
 * })
 */
export function defineSchedule(definition: ScheduleDefinition): Schedule {
  const { name, cron, timeZone = "UTC", emit, tenants = "all", catchUp = "last", spreadMs = 0 } = definition
  if (typeof name !== "string" || name.length > MAX_NAME || !NAME.test(name))
    throw invalid(
      `expected a name such as "report.daily" of at most ${MAX_NAME} characters, got ${JSON.stringify(name)}`,
    )
  if (!CATCH_UPS.includes(catchUp))
    throw invalid(`expected "last", "none" or "all" as catchUp of schedule ${name}, got ${JSON.stringify(catchUp)}`)
  const slots = parseSlots(name, cron, timeZone)
  return Object.freeze({
    name,
    cron: cron.trim(),
    timeZone,
    slots,
    type: checkedBy(name, "emit.type", () => checkType(emit.type)),
    data: checkData(name, emit.data ?? {}),
    source: emit.source ?? `schedule:${name}`,
    chooses: checkTenants(name, tenants),
    catchUp,
    spreadMs: checkSpread(name, spreadMs, slots),
  })
}

function checkData(name: string, data: JsonValue): JsonObject {
  const copy = checkedBy(name, "emit.data", () => copyJson(data, "data"))
  if (typeof copy !== "object" || copy === null || Array.isArray(copy))
    throw invalid(`expected an object as emit.data of schedule ${name}; the slot is added to it`)
  const taken = RESERVED.find((key) => key in copy)
  if (taken !== undefined)
    throw invalid(
      `expected emit.data of schedule ${name} without "${taken}", which the schedule says itself; rename the key`,
    )
  // It is no array, no null and no scalar.
  return copy as JsonObject
}

function checkTenants(
  name: string,
  tenants: NonNullable<ScheduleDefinition["tenants"]>,
): (tenant: ScheduledTenant) => boolean {
  if (tenants === "all") return () => true
  if (typeof tenants === "function") return tenants
  if (!Array.isArray(tenants))
    throw invalid(`expected "all", a list of slugs or a function as tenants of schedule ${name}, got ${typeof tenants}`)
  const slugs = new Set(tenants)
  return ({ slug }) => slugs.has(slug)
}

function checkSpread(name: string, spreadMs: number, slots: Slots): number {
  const first = slots.first(GAPS_LOOKED_AT + 1)
  const gaps = first.slice(1).map((slot, at) => slot - (first[at] ?? 0))
  const max = Math.min(MAX_SPREAD_MS, ...gaps.map((gap) => gap - 1))
  if (Number.isInteger(spreadMs) && spreadMs >= 0 && spreadMs <= max) return spreadMs
  throw invalid(
    `expected a whole number from 0 to ${max} as spreadMs of schedule ${name}, less than an hour and than there is between slots, got ${String(spreadMs)}`,
  )
}

function checkedBy<Value>(name: string, what: string, check: () => Value): Value {
  try {
    return check()
  } catch (cause) {
    if (!isFleetPromptError(cause)) throw cause
    throw new FleetPromptError("schedule_invalid", `${what} of schedule ${name}: ${cause.message}`, { cause })
  }
}

function invalid(message: string): FleetPromptError {
  return new FleetPromptError("schedule_invalid", message)
}
