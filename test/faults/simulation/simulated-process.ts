import { defineSchedule, type ScheduleDefinition } from "../../../src/delivery/schedule.ts"
import { createFleet, type Fleet } from "../../../src/fleet.ts"
import { eventListener, type TelemetryEvent } from "../../../src/telemetry/events.ts"
import { simulationHandlers } from "./handlers.ts"
import type { Ledger } from "./ledger.ts"
import { Machine } from "./machine.ts"
import type { ProcessSettings } from "./profile.ts"
import type { Random } from "./random.ts"
import { type Alter, simulatedDatabase, type Wire } from "./simulated-database.ts"

/** What all processes of a simulation share. */
export interface ProcessDeps extends Omit<Wire, "machine"> {
  readonly random: Random
  readonly ledger: Ledger
}

/** What a claim begins with, once the transaction is open. */
const CLAIMS = new Set(["claimDeliveries", "lockFlow"])
/** A claim that was under way when the process was told to stop may go on for so long. */
const UNDER_WAY_MS = 3_000
/** Often enough that each simulation has several slots. */
const TICK: ScheduleDefinition = {
  name: "tick",
  cron: "*/3 * * * * *",
  emit: { type: "tick.came" },
  tenants: ["acme", "bolt"],
  catchUp: "all",
}
const FINAL_GRACE_MS = 5_000
/** Longer than any timer of a fleet that has stopped may run. */
const LINGER_MS = 12_000
/** Rest before a start that failed is tried again. */
const START_AGAIN_MS = 400

/** A process with a fleet, that is killed and started again. */
export class SimulatedProcess {
  readonly name: string
  readonly #deps: ProcessDeps
  readonly #settings: ProcessSettings
  #lives = -1
  #machine: Machine
  #fleet: Fleet | undefined
  /** When it was told to stop, milliseconds since the beginning. */
  #toldToStopAt: number | undefined

  constructor(name: string, settings: ProcessSettings, deps: ProcessDeps) {
    this.name = name
    this.#settings = settings
    this.#deps = deps
    // Nothing runs before `start`.
    this.#machine = this.#newMachine()
    this.#machine.isAlive = false
  }

  get machine(): Machine {
    return this.#machine
  }

  /** Its fleet, when it is running and may be called. */
  get fleet(): Fleet | undefined {
    return this.#toldToStopAt === undefined ? this.#fleet : undefined
  }

  get isUp(): boolean {
    return this.fleet !== undefined
  }

  /** Begins to start, and tries until it has started. */
  start(): void {
    const { time, trace } = this.#deps
    const machine = this.#newMachine()
    this.#machine = machine
    this.#toldToStopAt = undefined
    trace.stress(`${machine.name} starts`)
    time.on(machine, () => void this.#start(machine))
  }

  async #start(machine: Machine): Promise<void> {
    for (;;) {
      const fleet = this.#newFleet(machine)
      try {
        await fleet.start()
        this.#fleet = fleet
        this.#deps.trace.stress(`${machine.name} has started`)
        return
      } catch (error) {
        this.#deps.trace.stress(`${machine.name} could not start: ${messageOf(error)}`)
        await new Promise((resolve) => void setTimeout(resolve, START_AGAIN_MS))
      }
    }
  }

  /** As `kill -9` does. */
  kill(): void {
    const { trace, server } = this.#deps
    trace.stress(`${this.#machine.name} is killed`)
    this.#machine.isAlive = false
    this.#fleet = undefined
    server.forget(this.#machine)
  }

  /** Stands still for a while, as `kill -STOP` makes it or a host that is out of breath. */
  stall(ms: number): void {
    this.#deps.trace.stress(`${this.#machine.name} stands still for ${Math.round(ms)} ms`)
    this.#machine.stalledUntil = this.#deps.time.now + ms
  }

  /** Stops as SIGTERM makes it; `onStopped` is called when that is done. */
  stop(graceMs: number, onStopped: () => void): void {
    const { machine } = this
    const fleet = this.#beginStop(graceMs)
    if (!fleet) return
    void this.#deps.time.on(machine, async () => {
      await this.#end(fleet, graceMs)
      machine.isAlive = false
      onStopped()
    })
  }

  /**
   * Stops when nothing is left to be done and nothing goes wrong, and sees that it ends as it should: that the fleet
   * holds nothing any more, and that nothing keeps the process alive.
   */
  stopForGood(): void {
    const { machine } = this
    const { time, ledger } = this.#deps
    const fleet = this.#beginStop(FINAL_GRACE_MS)
    if (!fleet) return
    let released = 0
    fleet.telemetry.listen((name, fields) => {
      if (name === "fleet.stopped" && "released" in fields) released = fields.released
    })
    void time.on(machine, async () => {
      await this.#end(fleet, FINAL_GRACE_MS)
      if (released > 0) ledger.badStops.push(`${machine.name} gives back ${released} although the queue is empty`)
      await new Promise((resolve) => void setTimeout(resolve, LINGER_MS))
      const left = time.waiting(machine)
      if (left > 0) ledger.badStops.push(`${left} timers keep ${machine.name} alive`)
      machine.isAlive = false
    })
  }

  #beginStop(graceMs: number): Fleet | undefined {
    const { fleet } = this
    if (!fleet) return undefined
    this.#toldToStopAt = this.#deps.time.elapsed
    this.#deps.trace.stress(`${this.#machine.name} is told to stop within ${Math.round(graceMs)} ms`)
    return fleet
  }

  async #end(fleet: Fleet, graceMs: number): Promise<void> {
    const { name } = this.#machine
    const { trace } = this.#deps
    await fleet
      .stop({ graceMs })
      .catch((error: unknown) => trace.stress(`${name} did not stop well: ${messageOf(error)}`))
    trace.stress(`${name} has stopped`)
    this.#fleet = undefined
  }

  #newMachine(): Machine {
    this.#lives += 1
    const name = `${this.name}${this.#lives}`
    return new Machine(name, this.#deps.random.branch(name))
  }

  /** Notes the claims that a machine sends although it was told to stop. */
  #watched(machine: Machine): Alter {
    const { alter, ledger, time } = this.#deps
    return (statement) => {
      const lateMs = time.elapsed - (this.#toldToStopAt ?? time.elapsed)
      if (lateMs > UNDER_WAY_MS && machine === this.#machine && CLAIMS.has(statement.name))
        ledger.badStops.push(`${machine.name} claims ${Math.round(lateMs)} ms after it was told to stop`)
      return alter(statement)
    }
  }

  #newFleet(machine: Machine): Fleet {
    const { ledger, trace } = this.#deps
    const { worker, version, emitQueue } = this.#settings
    const fleet = createFleet({
      database: simulatedDatabase({ ...this.#deps, machine, alter: this.#watched(machine) }),
      handlers: simulationHandlers({ machine, version, ledger, trace }),
      schedules: [defineSchedule(TICK)],
      retention: false,
      worker,
      emitQueue,
    })
    fleet.telemetry.listen(eventListener((event) => tellLedger(event, machine.name, ledger)))
    // So that rows and traces name the machine.
    return Object.assign(fleet, { workerName: machine.name })
  }
}

function tellLedger({ name, fields }: TelemetryEvent, worker: string, { told }: Ledger): void {
  if (name !== "delivery.settled" && name !== "delivery.lost") return
  const { tenant, signalId, handler, attempt } = fields
  const outcome = name === "delivery.settled" ? fields.outcome : undefined
  told.push({ worker, tenant, signalId, handler, attempt, outcome })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
