import { EventEmitter } from "node:events"
import eventemitter2 from "eventemitter2"
import mqemitter from "mqemitter"
import { noopAdapter } from "../../src/signal/dispatch/adapter-noop.ts"
import type { Bus } from "../../src/signal/bus/bus.ts"
import { createBus } from "../../src/signal/bus/bus-in-process.ts"
import type { BusOptions } from "../../src/signal/bus/bus-options.ts"
import { createDispatcher, type Dispatch } from "../../src/signal/dispatch/dispatcher.ts"
import { createSignal, type Signal } from "../../src/signal/signal.ts"
import { type Result, rate } from "./rate.ts"

const SUBSCRIBERS = [1, 10, 100]
const LOG_SIZES = [0, 1_000, 10_000, 100_000]
const OTHERS = [0, 100, 1_000, 10_000]
const BATCH = 100
/** Signals between two looks at the clock. */
const SIGNALS = 1_000
const LIST = 10

/** What hands signals to subscribers. None but ours keeps them, checks them, or says what became of them. */
interface Publisher {
  readonly subscribe: (pattern: string, heard: () => void) => void
  readonly publish: (signal: Signal) => unknown
}

/** Measures publishing to subscribers by pattern, awaited each time, and handing on. */
export async function run(seconds?: number): Promise<Result[]> {
  const results: Result[] = []
  for (const count of SUBSCRIBERS) {
    results.push(await publishing(count, seconds))
    results.push(await publishingBatches(count, seconds))
    results.push(await publishingWith("bus.publish_max_log_10", { log: { maxSignals: 10 } }, count, seconds))
  }
  const middleware = [{ beforePublish: noop, beforeDispatch: noop }]
  results.push(await publishingWith("bus.publish_through_middleware", { middleware }, 1, seconds))
  for (const size of LOG_SIZES) results.push(await publishingInto(size, seconds))
  for (const others of OTHERS) results.push(await publishingBeside(others, seconds))
  return [...results, await acknowledging(seconds), ...(await dispatching(seconds))]
}

/** One signal a time, to so many subscribers. */
async function publishing(n: number, seconds?: number): Promise<Result> {
  const measure = (publisher: Publisher) => throughput(publisher, n, seconds)
  return {
    id: "bus.publish_batch_1",
    n,
    ours: await measure(publisherOf(createBus())),
    peers: {
      eventemitter2: await measure(eventEmitter2()),
      mqemitter: await measure(mqEmitter()),
      "EventEmitter, exact types only": await measure(eventEmitter()),
    },
    unit: "signals/s",
  }
}

/** The same with other options, which no peer has. */
async function publishingWith(id: string, options: BusOptions, n: number, seconds?: number): Promise<Result> {
  return { id, n, ours: await throughput(publisherOf(createBus(options)), n, seconds), peers: {}, unit: "signals/s" }
}

async function publishingBatches(n: number, seconds?: number): Promise<Result> {
  const bus = createBus()
  const batches = Array.from({ length: SIGNALS / BATCH }, (_, index) =>
    signals.slice(index * BATCH, (index + 1) * BATCH),
  )
  const heard = subscribeAll(publisherOf(bus), n)
  const ours = await rate(
    SIGNALS,
    async () => {
      for (const batch of batches) await bus.publish(batch)
    },
    seconds,
  )
  heard.check(n)
  return { id: "bus.publish_batch_100", n, ours, peers: {}, unit: "signals/s" }
}

/** One subscriber, and a log that holds so many signals all the time. */
async function publishingInto(size: number, seconds?: number): Promise<Result> {
  const bus = createBus({ log: { maxSignals: size, signals: logOf(size) } })
  const ours = await throughput(publisherOf(bus), 1, seconds)
  return { id: "bus.publish_vs_log_size", n: size, ours, peers: {}, unit: "signals/s" }
}

/** One subscriber, and so many others whose pattern does not fit. */
async function publishingBeside(others: number, seconds?: number): Promise<Result> {
  const measure = (publisher: Publisher) => {
    for (let index = 0; index < others; index++) publisher.subscribe(`other${index}.thing.*`, noop)
    return throughput(publisher, 1, seconds)
  }
  return {
    id: "bus.publish_vs_nonmatching_subs",
    n: others,
    ours: await measure(publisherOf(createBus())),
    peers: { eventemitter2: await measure(eventEmitter2()), mqemitter: await measure(mqEmitter()) },
    unit: "signals/s",
  }
}

async function acknowledging(seconds?: number): Promise<Result> {
  const bus = createBus()
  let acknowledged = 0
  bus.subscribe("bench.**", (_, { ack }) => void (acknowledged += Number(ack())), { persistent: true, id: "bench" })
  const ours = await rate(SIGNALS, () => publishEach(publisherOf(bus)), seconds)
  const [info] = bus.subscriptions()
  if (info?.delivered !== acknowledged || info.pending + info.inFlight > 0) throw new Error("a signal was not settled")
  return { id: "bus.persistent_publish_receive_ack", n: 1, ours, peers: {}, unit: "signals/s" }
}

async function dispatching(seconds?: number): Promise<readonly Result[]> {
  const dispatcher = createDispatcher({ adapters: [noopAdapter()], maxConcurrency: 5 })
  const measure = async (id: string, n: number, dispatch: Dispatch): Promise<Result> => {
    const prepared = dispatcher.prepare(dispatch)
    const dispatchEach = async () => {
      for (const signal of signals) await dispatcher.dispatch(signal, prepared)
    }
    return { id, n, ours: await rate(SIGNALS, dispatchEach, seconds), peers: {}, unit: "dispatches/s" }
  }
  const list = (length: number) => Array.from({ length }, () => ({ to: "noop" }))
  return [
    await measure("dispatch.noop", 1, { to: "noop" }),
    await measure("dispatch.function", 1, noop),
    await measure("dispatch.list_of_noop", LIST, list(LIST)),
    await measure("dispatch.list_of_noop", 1_000, list(1_000)),
  ]
}

/** Signals a second, awaited one by one, to so many subscribers, each of which hears them all. */
async function throughput(publisher: Publisher, subscribers: number, seconds?: number): Promise<number> {
  const heard = subscribeAll(publisher, subscribers)
  const measured = await rate(SIGNALS, () => publishEach(publisher), seconds)
  heard.check(subscribers)
  return measured
}

/** Subscribes so many, and counts what they hear. */
function subscribeAll(publisher: Publisher, subscribers: number) {
  let heard = 0
  for (let index = 0; index < subscribers; index++) publisher.subscribe("bench.**", () => void heard++)
  return {
    check: (times: number) => {
      if (heard === 0 || heard % (SIGNALS * times) !== 0) throw new Error(`expected each to hear all, got ${heard}`)
    },
  }
}

async function publishEach({ publish }: Publisher): Promise<void> {
  for (const signal of signals) await publish(signal)
}

function noop(): void {}

function publisherOf(bus: Bus): Publisher {
  return {
    subscribe: (pattern, heard) => void bus.subscribe(pattern, heard),
    publish: (signal) => bus.publish(signal),
  }
}

function eventEmitter2(): Publisher {
  const emitter = new eventemitter2.EventEmitter2({ wildcard: true, delimiter: ".", maxListeners: 0 })
  return {
    subscribe: (pattern, heard) => void emitter.on(pattern, heard),
    publish: (signal) => void emitter.emit(signal.type, signal),
  }
}

function mqEmitter(): Publisher {
  const emitter = mqemitter({ separator: ".", wildcardOne: "*", wildcardSome: "**", concurrency: 0 })
  return {
    subscribe: (pattern, heard) =>
      void emitter.on(pattern, (_, done) => {
        heard()
        done()
      }),
    publish: (signal) => emitter.emit({ topic: signal.type, signal }),
  }
}

/** The floor: one look-up, which knows no wildcards. */
function eventEmitter(): Publisher {
  const emitter = new EventEmitter()
  emitter.setMaxListeners(0)
  return {
    subscribe: (_, heard) => void emitter.on(TYPE, heard),
    publish: (signal) => void emitter.emit(signal.type, signal),
  }
}

const TYPE = "bench.user.created"
const signals = Array.from({ length: SIGNALS }, (_, n) =>
  createSignal({
    type: TYPE,
    source: "/bench",
    time: "2026-01-31T12:00:00.000Z",
    data: { n, name: "user", tags: ["a", "b"] },
  }),
)

/** So many signals, from the prepared ones over and over. */
function* logOf(size: number): Generator<Signal> {
  for (let index = 0; index < size; index++) {
    const signal = signals[index % SIGNALS]
    if (signal) yield signal
  }
}
