import { createHash } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { isFleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import { isTransient } from "../store/transient.ts"
import type { Schedule, ScheduledTenant, SlotRecipient } from "./schedule.ts"

/** How the scheduler says who a signal is from, and under which key a tenant has it once. */
export interface SlotEmitOptions {
  readonly source: string
  readonly dedupeKey: string
  readonly onConflict: "existing"
}

/** Emits a signal into a tenant. */
export type EmitTo = (tenant: string, type: string, data: JsonObject, options: SlotEmitOptions) => Promise<unknown>

/** What firing a slot works with. */
export interface EmitSlotDeps {
  readonly emitTo: EmitTo
  /** The tenants that are ready. */
  readonly listTenants: () => Promise<readonly ScheduledTenant[]>
  /** Is told of each tenant that did not get its signal. */
  readonly onError: (error: unknown) => void
  /** After so long without any success, the tenants that are left go without, milliseconds. Default 30,000. */
  readonly patienceMs?: number
}

/** Emits under way at once. */
const CONCURRENCY = 16
const DEFAULT_PATIENCE_MS = 30_000
const FIRST_RETRY_MS = 250
const MAX_RETRY_MS = 5_000

/**
 * Emits the signal of a slot into every tenant that the schedule chooses. May be cut and repeated: the key makes it
 * one signal for each schedule, slot and tenant. A tenant that refuses it harms no other; while the database is away
 * it waits.
 *
 * @returns how many tenants have it.
 * @throws the abort's reason
 */
export async function emitSlot(
  schedule: Schedule,
  slot: number,
  abort: AbortSignal,
  deps: EmitSlotDeps,
): Promise<number> {
  const recipients = await recipientsOf(schedule, slot, deps)
  const round = new Round(schedule, slot, abort, deps)
  return round.run(recipients)
}

async function recipientsOf(schedule: Schedule, slot: number, deps: EmitSlotDeps): Promise<readonly SlotRecipient[]> {
  if (schedule.recipients) return schedule.recipients(slot)
  const tenants = (await deps.listTenants()).filter((tenant) => isChosen(schedule, tenant, deps))
  return tenants.map(({ slug }) => ({ slug, type: schedule.type, data: schedule.data }))
}

function isChosen(schedule: Schedule, tenant: ScheduledTenant, { onError }: EmitSlotDeps): boolean {
  try {
    return schedule.chooses(tenant)
  } catch (error) {
    onError(error)
    return false
  }
}

/** A tenant's place in the spread of a schedule, the same each time, milliseconds. */
export function spreadOf(schedule: string, tenant: string, spreadMs: number): number {
  if (spreadMs === 0) return 0
  const share = createHash("sha256").update(`${schedule} ${tenant}`).digest().readUInt32BE() / 2 ** 32
  return Math.floor(share * spreadMs)
}

interface Turn {
  readonly recipient: SlotRecipient
  /** Its place in the spread. */
  readonly atMs: number
  /** When its emit failed for the first time. */
  readonly failingSince: number | undefined
}

/** One slot on its way to all tenants: a queue, from which a tenant whose emit may yet succeed goes to the end again. */
class Round {
  readonly #schedule: Schedule
  readonly #slot: number
  readonly #abort: AbortSignal
  readonly #deps: EmitSlotDeps
  readonly #startedAt = performance.now()
  readonly #queue: Turn[] = []
  #next = 0
  #emitted = 0
  #failuresInARow = 0
  #succeededAt = performance.now()

  constructor(schedule: Schedule, slot: number, abort: AbortSignal, deps: EmitSlotDeps) {
    this.#schedule = schedule
    this.#slot = slot
    this.#abort = abort
    this.#deps = deps
  }

  async run(recipients: readonly SlotRecipient[]): Promise<number> {
    const { name, spreadMs } = this.#schedule
    const turns = recipients.map((recipient) => ({
      recipient,
      atMs: spreadOf(name, recipient.slug, spreadMs),
      failingSince: undefined,
    }))
    this.#queue.push(...turns.toSorted((one, other) => one.atMs - other.atMs))
    const workers = Array.from({ length: Math.min(CONCURRENCY, recipients.length) }, () => this.#work())
    // All of them, so that nothing is under way any more when an abort is told.
    const failed = (await Promise.allSettled(workers)).find(({ status }) => status === "rejected")
    this.#abort.throwIfAborted()
    if (failed?.status === "rejected") throw failed.reason
    return this.#emitted
  }

  async #work(): Promise<void> {
    for (let turn = this.#take(); turn; turn = this.#take()) {
      this.#abort.throwIfAborted()
      const waitMs = this.#startedAt + turn.atMs - performance.now()
      if (waitMs > 0) await sleep(waitMs, undefined, { signal: this.#abort })
      await this.#emit(turn)
    }
  }

  /** The next in the queue. At its end it stays there, for what is yet put in again. */
  #take(): Turn | undefined {
    const turn = this.#queue[this.#next]
    if (turn) this.#next++
    return turn
  }

  async #emit(turn: Turn): Promise<void> {
    const { source, name, label = name } = this.#schedule
    const { slug, type, data } = turn.recipient
    const slot = new Date(this.#slot).toISOString()
    const options = { source, dedupeKey: `schedule:${label}:${slot}`, onConflict: "existing" as const }
    try {
      await this.#deps.emitTo(slug, type, { ...data, slot, schedule: label }, options)
      this.#emitted++
      this.#failuresInARow = 0
      this.#succeededAt = performance.now()
    } catch (error) {
      await this.#failed(turn, error)
    }
  }

  async #failed(turn: Turn, error: unknown): Promise<void> {
    const { failingSince = performance.now() } = turn
    const hopelessSince = Math.max(failingSince, this.#succeededAt)
    const { onError, patienceMs = DEFAULT_PATIENCE_MS } = this.#deps
    if (!mayPass(error) || performance.now() - hopelessSince > patienceMs) return onError(error)
    this.#queue.push({ ...turn, failingSince })
    await sleep(Math.min(FIRST_RETRY_MS * 2 ** this.#failuresInARow++, MAX_RETRY_MS), undefined, {
      signal: this.#abort,
    })
  }
}

const BUSY = new Set(["emit_queue_full", "fleet_stopped"])

function mayPass(error: unknown): boolean {
  return isTransient(error) || (isFleetPromptError(error) && BUSY.has(error.code))
}
