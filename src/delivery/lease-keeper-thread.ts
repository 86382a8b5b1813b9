import { parentPort, workerData } from "node:worker_threads"
import { keepLeases } from "../store/deliveries.ts"
import { HotConnections } from "../store/server-hot.ts"
import { type KeepRules, type KeptHandler, keepRequest } from "./keep-request.ts"
import { readLoop } from "./loop-mark.ts"
import { LOOKS_PER_LEASE, LoopWatch, type Stall } from "./loop-watch.ts"

/*
 * The thread of a `LeaseKeeper`. It has no part in the work: it looks at the loop's mark, and when the loop stands
 * still it opens a connection and keeps the worker's leases.
 */

/** What it is given when it starts. */
export interface KeeperData extends KeepRules {
  /** Of the loop's mark. */
  readonly memory: SharedArrayBuffer
  /** Of the server, or a PgBouncer before it. */
  readonly connectionString: string
  /** In whose name. */
  readonly role: "engine"
}

// The one who starts it, in this package, gives it this.
const data = workerData as KeeperData

/** Time for several tries before the first lease ends. */
const timeoutMs = Math.max(250, data.leaseMs / 6)
const connection = new HotConnections({
  connectionString: data.connectionString,
  applicationName: "fleetprompt leases",
  role: data.role,
  maxConnections: 1,
  statementTimeoutMs: timeoutMs,
  turnTimeoutMs: timeoutMs,
  // Nothing is prepared then, and the planner may read the whole table.
  isPooled: true,
})
const watch = new LoopWatch()
/** Those of the beginning, and those that were brought since. */
const handlers = [...data.handlers]
// The keeper sends nothing else.
parentPort?.on("message", (handler: KeptHandler) => void handlers.push(handler))
let isKeeping = false
let isFailing = false
setInterval(look, data.leaseMs / LOOKS_PER_LEASE)

function look(): void {
  const stall = watch.look(readLoop(data.memory))
  if (stall && !isKeeping) void keep(stall)
}

/** When it fails, the next look tries again; the first failure of a row is told. */
async function keep(stall: Stall): Promise<void> {
  isKeeping = true
  try {
    await keepLeases(connection, keepRequest(stall, { ...data, handlers }))
    watch.kept()
    isFailing = false
  } catch (error) {
    if (!isFailing) tell(error)
    isFailing = true
  }
  isKeeping = false
}

/** As text: the class of an error would not arrive. */
function tell(error: unknown): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- this is no window.
  parentPort?.postMessage(error instanceof Error ? error.message : String(error))
}
