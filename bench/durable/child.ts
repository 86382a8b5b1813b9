import { setTimeout as wait } from "node:timers/promises"
import type { Await, Commands, OpenOrder, Request, Response, Settled } from "./commands.ts"
import { emitLoad, emitSteadily, Source } from "./load.ts"
import { type ContenderModule, now, type Station } from "./station.ts"
import { percentile } from "./statistics.ts"
import { Tally } from "./tally.ts"

/** How often it is asked whether anything is still open, once all handlers have run. */
const POLL_MS = 5

/** What an open contender consists of. */
interface Parts {
  readonly station: Station
  readonly source: Source
  readonly tally: Tally
  readonly handlers: number
}

let parts: Parts | undefined

function opened(): Parts {
  if (parts) return parts
  throw new Error("expected an open contender")
}

const commands: Commands = {
  open: async ({ module, setup, firstEvent }: OpenOrder) => {
    const { open } = (await import(`./contenders/${module}.js`)) as ContenderModule
    const tally = new Tally(setup.handlers)
    const station = await open({ ...setup, onHandled: tally.add })
    parts = { station, source: new Source(setup.tenants, firstEvent), tally, handlers: setup.handlers }
  },
  emit: async (load) => {
    const { station, source } = opened()
    return { ...(await emitLoad(station, source, load)), next: source.next }
  },
  emitSteadily: async (load) => {
    const { station, source } = opened()
    const emitted = await emitSteadily(station, source, load, (elapsedMs) => elapsedMs < load.forMs)
    return { ...emitted, next: source.next }
  },
  drain: async ({ events, patienceMs, ...load }) => {
    const { station, source, tally, handlers } = opened()
    const isLeft = () => tally.handled < events * handlers
    await emitSteadily(station, source, load, (elapsedMs) => isLeft() && elapsedMs < patienceMs)
    const settled = await untilSettled({ events: source.next, patienceMs })
    return { ...settled, firstAt: tally.firstAt, next: source.next }
  },
  settled: (order) => untilSettled(order),
  progress: async () => {
    const { user, system } = process.cpuUsage()
    return { handled: opened().tally.handled, cpuMs: (user + system) / 1_000 }
  },
  latencies: async () => {
    const latenciesMs = opened().tally.takeLatenciesMs()
    const at = (share: number) => percentile(latenciesMs, share) ?? null
    return { count: latenciesMs.length, p50Ms: at(0.5), p99Ms: at(0.99) }
  },
  faults: async ({ events }) => opened().tally.faults(events),
  discard: async () => opened().station.discard?.(),
  close: async () => opened().station.close(),
}

async function untilSettled({ events, patienceMs }: Await): Promise<Settled> {
  const { station, tally, handlers } = opened()
  const timeout = new AbortController()
  const all = async (): Promise<boolean> => {
    await tally.reached(events * handlers)
    while (!timeout.signal.aborted && (await station.hasOpenJobs())) await wait(POLL_MS)
    return true
  }
  const complete = await Promise.race([all(), wait(patienceMs, false, { signal: timeout.signal })])
  timeout.abort()
  return { at: now(), handled: tally.handled, complete }
}

async function answer({ id, name, order }: Request): Promise<Response> {
  try {
    // The order came from the typed call of the same name.
    return { id, result: await commands[name](order as never) }
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) }
  }
}

process.on("message", (request: Request) => void answer(request).then((response) => process.send?.(response)))
process.once("disconnect", () => process.exit())
