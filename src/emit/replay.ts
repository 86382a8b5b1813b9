import { setMaxListeners } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { isFleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import {
  failReplay,
  leaseReplays,
  type LeasedReplay,
  type ReplayHolder,
  releaseReplays,
  setReplayAside,
} from "../store/replays.ts"
import { isTransient } from "../store/transient.ts"
import { type ReplayDeps, restMs, stepReplay, stepSignals, tellProgress } from "./replay-step.ts"

/** What a replayer works with. */
export interface ReplayerDeps extends ReplayDeps {
  /** Names this process; no two have the same. */
  readonly worker: string
  /** How long a process that went away keeps its replays, milliseconds. Default 15,000. */
  readonly leaseMs?: number
  /** How often to look for replays when nothing is announced, milliseconds. Default 10,000. */
  readonly pollMs?: number
}

const DEFAULT_LEASE_MS = 15_000
const DEFAULT_POLL_MS = 10_000
/** Replays that one process works on at once. When more want to, those that wait for the queue give their places up. */
const MAX_REPLAYS = 16
/** How long to wait when the queue has no room, or the database did not answer: twice as long each time. */
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1_000

/**
 * Carries replays out, step by step.
 *
 * The row in `fleetprompt.replays` is the authority: it says how far a replay got, and who works on it until
 * when, by the database's clock. A step commits its deliveries and the row together, and only while the row
 * still names this worker and says `running`. So whoever pauses or cancels a replay changes the row and
 * nothing else, and a process that went away is replaced when its lease ends, where it stopped.
 */
export class Replayer {
  readonly #deps: ReplayerDeps
  readonly #holder: ReplayHolder
  readonly #running = new Map<string, Promise<void>>()
  readonly #halt = new AbortController()
  #nap = new AbortController()
  #loop: Promise<void> | undefined

  constructor(deps: ReplayerDeps) {
    this.#deps = deps
    setMaxListeners(MAX_REPLAYS + 1, this.#halt.signal)
    this.#holder = { worker: deps.worker, leaseMs: deps.leaseMs ?? DEFAULT_LEASE_MS }
  }

  /** Begins to look for replays. As long as there is no handler, it takes none. */
  start(): void {
    this.#loop = this.#work()
  }

  /** There may be a replay to take: looks at once. */
  wake(): void {
    this.#nap.abort()
  }

  /** Ends the step under way and gives the replays back. */
  async stop(): Promise<void> {
    this.#halt.abort()
    this.#nap.abort()
    await this.#loop
    await Promise.all(this.#running.values())
    if (this.#loop) await this.#release().catch(this.#failed)
  }

  /** When this fails, the leases end by themselves. */
  async #release(): Promise<void> {
    const { database, worker, announcer } = this.#deps
    if ((await releaseReplays(database, worker)) > 0) announcer.changed({ replays: true })
  }

  async #work(): Promise<void> {
    const { pollMs = DEFAULT_POLL_MS } = this.#deps
    while (!this.#halt.signal.aborted) {
      this.#nap = new AbortController()
      await this.#take().catch(this.#failed)
      await pause(pollMs, this.#nap.signal)
    }
  }

  async #take(): Promise<void> {
    const room = MAX_REPLAYS - this.#running.size
    const { database, routes } = this.#deps
    const handlers = routes.names()
    if (room === 0 || handlers.length === 0) return
    for (const replay of await leaseReplays(database, this.#holder, handlers, room)) {
      if (this.#running.has(replay.id)) continue
      const ended = this.#run(replay).finally(() => {
        this.#running.delete(replay.id)
        this.wake()
      })
      this.#running.set(replay.id, ended)
    }
  }

  async #run(replay: LeasedReplay): Promise<void> {
    const { perSecond } = replay.order
    // How long the last step of another process was is not known, so it counts as a full one.
    let rest = replay.seen > 0 ? restMs(stepSignals(perSecond), perSecond) : 0
    let backoffMs = FIRST_PAUSE_MS
    while (!this.#halt.signal.aborted) {
      const step = await this.#step(replay, rest)
      if (step.kind === "over") return
      if (step.kind === "moved") rest = step.restMs
      await pause(step.restMs ?? backoffMs, this.#halt.signal)
      if (backoffMs === LONGEST_PAUSE_MS && this.#running.size === MAX_REPLAYS) return this.#setAside(replay)
      backoffMs = step.kind === "moved" ? FIRST_PAUSE_MS : Math.min(backoffMs * 2, LONGEST_PAUSE_MS)
    }
  }

  /** It waits for deliveries to be done; another replay may have its place meanwhile. */
  async #setAside({ id }: LeasedReplay): Promise<void> {
    const { database, worker, pollMs = DEFAULT_POLL_MS } = this.#deps
    await setReplayAside(database, id, worker, pollMs).catch(this.#failed)
  }

  async #step(replay: LeasedReplay, rest: number): ReturnType<typeof stepReplay> {
    try {
      return await stepReplay(replay, this.#holder, rest, this.#deps)
    } catch (error) {
      this.#failed(error)
      if (!isTransient(error) && !isSuspended(error)) await this.#giveUp(replay, error)
      // When it was given up, the next step finds that.
      return { kind: "resting", restMs: undefined }
    }
  }

  async #giveUp(replay: LeasedReplay, error: unknown): Promise<void> {
    const { database, worker, telemetry } = this.#deps
    const counts = await failReplay(database, replay.id, worker, failure(error)).catch(this.#failed)
    if (counts) tellProgress(replay, "failed", counts, telemetry)
  }

  readonly #failed = (error: unknown): void => {
    this.#deps.telemetry.tell("background.failed", { step: "replay", error })
  }
}

/** The replay goes on when the tenant does. */
function isSuspended(error: unknown): boolean {
  return isFleetPromptError(error) && error.code === "tenant_suspended"
}

/** Resolves after a while, or when the signal fires. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}

const MAX_MESSAGE = 2_000

function failure(error: unknown): JsonObject {
  const message = error instanceof Error ? error.message : String(error)
  return { message: message.slice(0, MAX_MESSAGE), ...(isFleetPromptError(error) && { code: error.code }) }
}
