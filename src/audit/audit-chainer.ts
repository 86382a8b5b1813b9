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
  /** How often to look for entries, milliseconds. Default 1,000. */
  readonly pollMs?: number
}

const DEFAULT_POLL_MS = 1_000
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

  /** Chains what waits, of all logs. */
  async chainAll(): Promise<void> {
    const waiting = [...(await selectAuditIntakeLogs(this.#deps.database, MAX_LOGS))]
    const next = async (): Promise<void> => {
      for (let log = waiting.shift(); log && !this.#halt.signal.aborted; log = waiting.shift()) await this.#chain(log)
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, next))
  }

  async #work(): Promise<void> {
    const { pollMs = DEFAULT_POLL_MS } = this.#deps
    while (!this.#halt.signal.aborted) {
      await this.chainAll().catch(this.#failed)
      await sleep(pollMs, undefined, { signal: this.#halt.signal }).catch(() => undefined)
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
