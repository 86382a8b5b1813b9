import { Worker as Thread } from "node:worker_threads"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { Handler } from "./handler-definition.ts"
import type { KeptHandler } from "./keep-request.ts"
// For its type only, which also has it compiled wherever this file is.
import type { KeeperData } from "./lease-keeper-thread.ts"
import { LoopMark } from "./loop-mark.ts"
import { LOOKS_PER_LEASE } from "./loop-watch.ts"

/** What a keeper works with. */
export interface LeaseKeeperDeps {
  /** Who holds the leases. */
  readonly worker: string
  /** The server, or a PgBouncer before it. */
  readonly connectionString: string
  readonly leaseMs: number
  readonly telemetry: Telemetry
}

/** Node runs no TypeScript: from the sources, the thread is that of the last build. */
const THREAD = new URL(
  import.meta.url.endsWith(".ts") ? "../../dist/delivery/lease-keeper-thread.js" : "./lease-keeper-thread.js",
  import.meta.url,
)

/** Before a thread that ended is started again; twice as long each time. */
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 600_000

/**
 * Keeps a worker's leases while its event loop is blocked, when the worker's own heartbeat cannot: a thread sees
 * that the loop stands still, and prolongs what the worker holds over a connection of its own, which it opens only
 * then. The call that blocks the loop is left out once it has done so for a third of a lease, if it is in its
 * synchronous part; so it alone is taken over. Without the thread, leases end as they would without a keeper.
 */
export class LeaseKeeper {
  readonly #deps: LeaseKeeperDeps
  readonly #mark = new LoopMark()
  /** In the order of their places. */
  readonly #marked: KeptHandler[] = []
  #ticking: NodeJS.Timeout | undefined
  #restarting: NodeJS.Timeout | undefined
  #pauseMs = FIRST_PAUSE_MS
  #thread: Thread | undefined

  constructor(deps: LeaseKeeperDeps) {
    this.#deps = deps
  }

  /** The handler as it is to be called from now on; its deliveries are kept, as long as it may run. */
  mark(handler: Handler): Handler {
    const { name, timeoutMs } = handler
    this.#marked.push({ name, timeoutMs })
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- this is no window.
    this.#thread?.postMessage({ name, timeoutMs } satisfies KeptHandler)
    return this.#mark.mark(handler)
  }

  start(): void {
    this.#ticking = setInterval(() => this.#mark.tick(), this.#deps.leaseMs / LOOKS_PER_LEASE).unref()
    this.#startThread()
  }

  /** Ends the thread and, should it have one, its connection. */
  async stop(): Promise<void> {
    clearInterval(this.#ticking)
    clearTimeout(this.#restarting)
    const thread = this.#thread
    this.#thread = undefined
    await thread?.terminate()
  }

  #startThread(): void {
    try {
      // What the process preloads is not for this thread.
      const thread = new Thread(THREAD, { workerData: this.#data(), execArgv: [], name: "fleetprompt leases" })
      thread.on("message", (reason: string) => this.#tell(new Error(reason)))
      thread.on("error", (error) => this.#tell(error))
      thread.once("exit", () => thread === this.#thread && this.#startLater())
      // After the listeners, which undo it.
      thread.unref()
      this.#thread = thread
    } catch (error) {
      // Node may have been told to allow none.
      this.#tell(error)
      this.#startLater()
    }
  }

  #data(): KeeperData {
    const { connectionString, worker, leaseMs } = this.#deps
    return { memory: this.#mark.memory, connectionString, role: "engine", worker, leaseMs, handlers: this.#marked }
  }

  #startLater(): void {
    this.#thread = undefined
    this.#restarting = setTimeout(() => this.#startThread(), this.#pauseMs).unref()
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
  }

  #tell(error: unknown): void {
    this.#deps.telemetry.tell("background.failed", { step: "heartbeat", error })
  }
}
