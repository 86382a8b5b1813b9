import fc from "fast-check"
import { expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { createBus } from "./bus-in-process.ts"
import { createSignal, type Signal } from "../signal.ts"
import type { Delivery } from "./subscription.ts"
import { memoryCheckpoints } from "./subscription-checkpoint.ts"

const DEADLINE = 100
const BACKOFF = 30

/** What a subscriber does with a signal when it gets it. */
type Reaction = "hold" | "ack" | "nack" | "throw"

interface Limits {
  readonly maxAttempts: number
  readonly maxInFlight: number
  readonly maxPending: number
}

interface ModelMessage {
  readonly sequence: number
  state: "held" | "out" | "waiting" | "settled" | "dead" | "dropped"
  attempts: number
  /** The last time it was handed over. */
  handOver: number
  /** Whether it was ever handed over. */
  isKnown: boolean
}

interface ModelTimer {
  readonly due: number
  /** In which state of the message it means something. */
  readonly ends: "out" | "waiting"
  readonly message: ModelMessage
  readonly handOver: number
}

/** What a persistent subscription should be: a list that is searched anew for each step. */
class Model {
  readonly messages: ModelMessage[] = []
  readonly handedOver: { readonly message: ModelMessage; readonly attempt: number; isNacked: boolean }[] = []
  readonly dead: ModelMessage[] = []
  readonly #limits: Limits
  readonly #reactions: Reaction[]
  #timers: ModelTimer[] = []
  #now = 0
  #isConnected = true

  constructor(limits: Limits, reactions: readonly Reaction[]) {
    this.#limits = limits
    this.#reactions = [...reactions]
  }

  in(...states: readonly ModelMessage["state"][]): readonly ModelMessage[] {
    return this.messages.filter(({ state }) => states.includes(state))
  }

  publish(): void {
    const held = this.in("held", "waiting")
    if (held.length >= this.#limits.maxPending && held[0]) held[0].state = "dropped"
    this.messages.push({ sequence: this.messages.length, state: "held", attempts: 0, handOver: -1, isKnown: false })
    this.pump()
  }

  pump(): void {
    while (this.#isConnected && this.in("out").length < this.#limits.maxInFlight) {
      const [message] = this.in("held")
      if (!message) return
      this.#handOver(message)
    }
  }

  ack(index: number): boolean {
    const handOver = this.handedOver[index]
    return handOver !== undefined && !handOver.isNacked && this.ackMessage(handOver.message)
  }

  ackMessage(message: ModelMessage): boolean {
    if (!message.isKnown || !["out", "waiting", "held"].includes(message.state)) return false
    message.state = "settled"
    this.pump()
    return true
  }

  nack(index: number): boolean {
    const handOver = this.handedOver[index]
    if (!handOver || handOver.message.state !== "out" || handOver.message.handOver !== index) return false
    handOver.isNacked = true
    this.#fail(handOver.message, BACKOFF)
    this.pump()
    return true
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const [next] = this.#timers.filter(({ due }) => due <= end).toSorted((a, b) => a.due - b.due)
      if (!next) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#now = next.due
      if (next.message.handOver !== next.handOver || next.message.state !== next.ends) continue
      if (next.ends === "waiting") next.message.state = "held"
      else this.#fail(next.message, 0)
      this.pump()
    }
    this.#now = end
  }

  disconnect(): void {
    this.#isConnected = false
    for (const message of this.in("out", "waiting")) {
      if (message.state === "out") message.attempts--
      message.state = "held"
    }
  }

  reconnect(): void {
    this.disconnect()
    this.#isConnected = true
    this.pump()
  }

  redrive(): void {
    for (const message of this.dead.splice(0)) Object.assign(message, { state: "held", attempts: 0 })
    this.pump()
  }

  #handOver(message: ModelMessage): void {
    const index = this.handedOver.length
    Object.assign(message, { state: "out", attempts: message.attempts + 1, handOver: index, isKnown: true })
    this.handedOver.push({ message, attempt: message.attempts, isNacked: false })
    this.#timers.push({ due: this.#now + DEADLINE, ends: "out", message, handOver: index })
    const reaction = this.#reactions.shift() ?? "hold"
    if (reaction === "ack") this.ack(index)
    if (reaction === "nack") this.nack(index)
    if (reaction === "throw") this.#fail(message, BACKOFF)
  }

  #fail(message: ModelMessage, delay: number): void {
    if (message.attempts >= this.#limits.maxAttempts) {
      message.state = "dead"
      this.dead.push(message)
    } else if (delay === 0) {
      message.state = "held"
    } else {
      message.state = "waiting"
      this.#timers.push({ due: this.#now + delay, ends: "waiting", message, handOver: message.handOver })
    }
  }
}

/** The real thing, with the same steps. */
function real(limits: Limits, reactions: readonly Reaction[]) {
  const clock = new ManualClock()
  const dropped: number[] = []
  const bus = createBus({ clock, onError: () => {}, onDrop: ({ signal }) => dropped.push(signal.data as number) })
  const left = [...reactions]
  const handedOver: { readonly sequence: number; readonly delivery: Delivery }[] = []
  const take = ({ data }: Signal, delivery: Delivery) => {
    handedOver.push({ sequence: data as number, delivery })
    const reaction = left.shift() ?? "hold"
    if (reaction === "ack") delivery.ack()
    if (reaction === "nack") delivery.nack("no")
    if (reaction === "throw") throw new Error("no")
  }
  bus.subscribe("**", take, {
    persistent: true,
    id: "p",
    ackDeadlineMs: DEADLINE,
    maxInFlight: limits.maxInFlight,
    maxPending: limits.maxPending,
    whenFull: "drop-oldest",
    retry: { maxAttempts: limits.maxAttempts, backoff: BACKOFF },
  })
  let count = 0
  const publish = () => {
    const data = count++
    void bus.publish(createSignal({ type: "a.b", source: "/test", id: `s${data}`, data }))
  }
  return { bus, clock, dropped, handedOver, take, publish }
}

const reactions = fc.array(fc.constantFrom<Reaction>("hold", "hold", "ack", "nack", "throw"), { maxLength: 60 })
const limits = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  maxInFlight: fc.integer({ min: 1, max: 4 }),
  maxPending: fc.constantFrom(2, 5, 1_000),
})
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("publish" as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("ack" as const, "nack" as const), at: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("ackId" as const), at: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("advance" as const), at: fc.nat(2 * DEADLINE) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("disconnect" as const, "reconnect" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("redrive" as const) }) },
)
const steps = fc.array(step, { minLength: 5, maxLength: 80, size: "max" })

test("it does what the model does, whatever comes: publish, ack, nack, time, reconnect, redrive", () => {
  fc.assert(
    fc.property(limits, reactions, steps, (given, react, list) => {
      const model = new Model(given, react)
      const { bus, clock, dropped, handedOver, take, publish } = real(given, react)
      // A full subscription with redriven signals holds them besides its limit, which the model does not know.
      const mayRedrive = given.maxPending === 1_000
      for (const each of list) {
        switch (each.kind) {
          case "publish":
            model.publish()
            publish()
            break
          case "ack":
            expect(handedOver[each.at]?.delivery.ack() ?? false).toBe(model.ack(each.at))
            break
          case "nack":
            expect(handedOver[each.at]?.delivery.nack("no") ?? false).toBe(model.nack(each.at))
            break
          case "ackId": {
            const message = model.messages[each.at]
            expect(bus.ack("p", `s${each.at}`)).toBe(message ? model.ackMessage(message) : false)
            break
          }
          case "advance":
            model.advance(each.at)
            clock.advance(each.at)
            break
          case "disconnect":
            model.disconnect()
            bus.disconnect("p")
            break
          case "reconnect":
            model.reconnect()
            bus.reconnect("p", take)
            break
          case "redrive":
            if (!mayRedrive) break
            model.redrive()
            bus.redrive("p")
            break
        }
        expect(handedOver.map(({ sequence, delivery }) => `${sequence}#${delivery.attempt}`)).toEqual(
          model.handedOver.map(({ message, attempt }) => `${message.sequence}#${attempt}`),
        )
        expect(bus.subscriptions()).toMatchObject([
          {
            pending: model.in("held", "waiting").length,
            inFlight: model.in("out").length,
            deadLetters: model.dead.length,
            delivered: model.in("settled").length,
          },
        ])
      }
      expect(bus.deadLetters("p").map(({ signal }) => signal.data)).toEqual(model.dead.map(({ sequence }) => sequence))
      expect(dropped.toSorted((a, b) => a - b)).toEqual(model.in("dropped").map(({ sequence }) => sequence))
    }),
    { numRuns: 1_000 },
  )
})

test("in the end every signal is acknowledged exactly once, and none is missing", () => {
  fc.assert(
    fc.property(limits, reactions, steps, (given, react, list) => {
      const { bus, clock, handedOver, take, publish } = real({ ...given, maxPending: 1_000 }, react)
      const acknowledged: number[] = []
      const ack = (index: number) => {
        const handOver = handedOver[index]
        if (handOver?.delivery.ack()) acknowledged.push(handOver.sequence)
      }
      let published = 0
      for (const each of list) {
        if (each.kind === "publish") {
          publish()
          published++
        }
        if (each.kind === "ack") ack(each.at)
        if (each.kind === "nack") handedOver[each.at]?.delivery.nack("no")
        if (each.kind === "advance") clock.advance(each.at)
        if (each.kind === "reconnect") bus.reconnect("p", take)
      }
      bus.disconnect("p")
      const early = react.slice(0, handedOver.length).flatMap((reaction, n) => (reaction === "ack" ? [n] : []))
      const finished: number[] = []
      bus.redrive("p")
      bus.reconnect("p", ({ data }, delivery) => void (delivery.ack() && finished.push(data as number)))
      const all = [...acknowledged, ...early.map((n) => handedOver[n]?.sequence ?? -1), ...finished]
      expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: published }, (_, n) => n))
      expect(finished).toEqual(finished.toSorted((a, b) => a - b))
      expect(clock.delays).toEqual([])
    }),
    { numRuns: 500 },
  )
})

test("a new bus with the same log and checkpoints goes on exactly where the one before was", async () => {
  await fc.assert(
    fc.asyncProperty(limits, reactions, steps, fc.nat(10), async (given, react, list, before) => {
      const checkpoints = memoryCheckpoints()
      const model = new Model({ ...given, maxPending: 1_000 }, react)
      const log = Array.from({ length: before }, (_, n) => signalOf(`old${n}`, -1))
      const { bus, clock, handedOver } = withCheckpoints(checkpoints, log, given, react)
      for (const each of list) {
        if (each.kind === "publish") {
          const signal = signalOf(`s${model.messages.length}`, model.messages.length)
          log.push(signal)
          model.publish()
          void bus.publish(signal)
        }
        if (each.kind === "ack") expect(handedOver[each.at]?.ack() ?? false).toBe(model.ack(each.at))
        if (each.kind === "nack") expect(handedOver[each.at]?.nack("no") ?? false).toBe(model.nack(each.at))
        if (each.kind === "advance") {
          model.advance(each.at)
          clock.advance(each.at)
        }
      }
      // The process ends here: nothing is closed, only what was saved is there.
      await bus.drain()
      await Promise.resolve()
      const next = withCheckpoints(checkpoints, log, { ...given, maxInFlight: 1_000 }, [])
      const open = model.in("held", "out", "waiting").map(({ sequence }) => sequence)
      expect(next.got).toEqual(open)
      expect(next.bus.deadLetters("p").map(({ signal }) => signal.data)).toEqual(
        model.dead.map(({ sequence }) => sequence),
      )
      next.bus.redrive("p")
      expect(next.got.slice(open.length)).toEqual(model.in("dead").map(({ sequence }) => sequence))
      expect(next.faults).toEqual([])
    }),
    { numRuns: 300 },
  )
})

function signalOf(id: string, data: number): Signal {
  return createSignal({ type: "a.b", source: "/test", id, data })
}

function withCheckpoints(
  checkpoints: ReturnType<typeof memoryCheckpoints>,
  signals: readonly Signal[],
  { maxAttempts, maxInFlight }: Limits,
  react: readonly Reaction[],
) {
  const clock = new ManualClock()
  const faults: unknown[] = []
  const bus = createBus({
    clock,
    checkpoints,
    log: { signals },
    onError: (error, { kind }) => void (kind === "dead_letter" || faults.push(error)),
  })
  const left = [...react]
  const handedOver: Delivery[] = []
  const got: number[] = []
  bus.subscribe(
    "**",
    ({ data }, delivery) => {
      handedOver.push(delivery)
      got.push(data as number)
      const reaction = left.shift() ?? "hold"
      if (reaction === "ack") delivery.ack()
      if (reaction === "nack") delivery.nack("no")
      if (reaction === "throw") throw new Error("no")
    },
    {
      persistent: true,
      id: "p",
      ackDeadlineMs: DEADLINE,
      maxInFlight,
      retry: { maxAttempts, backoff: BACKOFF },
    },
  )
  return { bus, clock, faults, handedOver, got }
}
