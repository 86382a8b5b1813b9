import { setTimeout as sleep } from "node:timers/promises"
import { type FleetPromptError, isFleetPromptError } from "../errors.ts"
import { selectAuditIntakeLogs, type WaitingLog } from "../store/audit-intake.ts"
import type { Database } from "../store/database.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { chainAudit, type ChainDeps } from "./chain-writer.ts"

/** What the chainer works with. */
export interface ChainerDeps extends ChainDeps {
  readonly database: Database
  readonly telemetry: Pick<Telemetry, "tell">
  /** How soon to look for entries again after there were some, milliseconds. Default 1,000. Up to five times as long while there are none. */
  readonly pollMs?: number
}

const DEFAULT_POLL_MS = 1_000
/** How much longer the rest between two looks becomes while nothing waits. */
const MOST_TIMES = 5
/** Logs that are looked after in one round. */
const MAX_LOGS = 1_000
/** Logs that are written at once. */
const CONCURRENCY = 4
/** How often it is told that a log is broken, milliseconds. */
const TELL_MS = 60_000

/**
 * Gives audit entries their places in the chains, in every process of a fleet: whoever comes first does it. There is
 * nothing to take over from a process that went away, since what it did not commit still waits in the intake.
 */
export class AuditChainer {
  readonly #deps: ChainerDeps
  readonly #halt = new AbortController()
  readonly #told = new Map<string, number>()
  #loop: Promise<void> | undefined

  constructor(deps: ChainerDeps) {
    this.#deps = deps
  }

  /** Begins to look for entries. */
  start(): void {
    this.#loop = this.#work()
  }

  /** Ends the round under way. What is left waits for the next process. */
  async stop(): Promise<void> {
    this.#halt.abort()
    await this.#loop
  }

  /** Chains what waits, of all logs. Returns how many logs that were. */
  async chainAll(): Promise<number> {
    const waiting = [...(await selectAuditIntakeLogs(this.#deps.database, MAX_LOGS))]
    const count = waiting.length
    const next = async (): Promise<void> => {
      for (let log = waiting.shift(); log && !this.#halt.signal.aborted; log = waiting.shift()) await this.#chain(log)
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, next))
    return count
  }

  async #work(): Promise<void> {
    const { pollMs = DEFAULT_POLL_MS } = this.#deps
    let restMs = pollMs
    while (!this.#halt.signal.aborted) {
      const count = await this.chainAll().catch(this.#failed)
      restMs = count === 0 ? Math.min(restMs * 2, pollMs * MOST_TIMES) : pollMs
      await sleep(restMs, undefined, { signal: this.#halt.signal }).catch(() => undefined)
    }
  }

  async #chain({ tenant, waitedMs }: WaitingLog): Promise<void> {
    try {
      await chainAudit(tenant, this.#deps)
      this.#told.delete(tenant)
    } catch (error) {
      if (isFleetPromptError(error) && error.code === "audit_broken") this.#tellBroken({ tenant, waitedMs }, error)
      else this.#failed(error)
    }
  }

  #tellBroken(log: WaitingLog, error: FleetPromptError): void {
    const now = performance.now()
    if (now - (this.#told.get(log.tenant) ?? Number.NEGATIVE_INFINITY) < TELL_MS) return
    this.#told.set(log.tenant, now)
    this.#deps.telemetry.tell("audit.broken", { ...log, error })
  }

  readonly #failed = (error: unknown): void => {
    this.#deps.telemetry.tell("background.failed", { step: "audit", error })
  }
}
