import type { Fleet } from "../../../src/fleet.ts"
import type { Database } from "../../../src/store/database.ts"
import { Ledger } from "./ledger.ts"
import { CALM, Network } from "./network.ts"
import { drawProfile, type Profile } from "./profile.ts"
import { Random } from "./random.ts"
import type { Alter } from "./simulated-database.ts"
import { SimulatedProcess } from "./simulated-process.ts"
import { SimulatedServer } from "./simulated-server.ts"
import { Trace } from "./trace.ts"
import type { Machine } from "./machine.ts"
import { VirtualTime } from "./virtual-time.ts"

/** How long a process that was killed or has stopped stays away. */
const AWAY_MS = [200, 6_000] as const

/** Processes are called A, B and so on. */
const FIRST_NAME = 65
const BOOTING_MS = 5_000

/** Everything that a simulation is made of. */
export class World {
  readonly random: Random
  readonly profile: Profile
  readonly time = new VirtualTime()
  readonly trace = new Trace(() => this.time.elapsed)
  readonly ledger = new Ledger()
  readonly network: Network
  readonly server: SimulatedServer
  readonly processes: readonly SimulatedProcess[]
  /** Since when nothing goes wrong any more, milliseconds since the beginning. */
  steadyMs = Number.POSITIVE_INFINITY
  #reader: Machine | undefined

  constructor(database: Database, seed: number, alter: Alter) {
    const random = new Random(seed)
    this.random = random.branch("script")
    this.profile = drawProfile(random.branch("profile"))
    this.network = new Network(this.time, random.branch("network"))
    this.server = new SimulatedServer(database, this.time, this.network, this.trace, random.branch("server"))
    const { network, server, time, trace, ledger } = this
    const deps = { network, server, time, trace, ledger, alter, random: random.branch("machines") }
    this.processes = this.profile.processes.map(
      (settings, at) => new SimulatedProcess(String.fromCodePoint(FIRST_NAME + at), settings, deps),
    )
  }

  /** Processes that are running and may be called. */
  get up(): readonly SimulatedProcess[] {
    return this.processes.filter(({ isUp }) => isUp)
  }

  /** Whether all processes run, none stands still, and every call that can be answered was. */
  get isSteady(): boolean {
    const living = new Set(this.processes.map(({ machine }) => machine.name))
    return (
      this.up.length === this.processes.length &&
      this.processes.every(({ machine }) => machine.stalledUntil <= this.time.now) &&
      this.ledger.calls.every(({ outcome, caller }) => outcome !== "unknown" || !living.has(caller))
    )
  }

  /** The version of the handlers of a process, by the name of one of its lives. */
  versionOf(machine: string): number {
    return this.profile.processes[(machine.codePointAt(0) ?? 0) - FIRST_NAME]?.version ?? 0
  }

  /** Starts every process and waits until all are up. */
  async boot(): Promise<void> {
    this.trace.stress(`profile ${JSON.stringify(this.profile)}`)
    await this.server.open()
    this.network.weather = CALM
    for (const each of this.processes) each.start()
    while (this.up.length < this.processes.length) {
      if (this.time.elapsed > BOOTING_MS) throw new Error("the processes did not start although nothing goes wrong yet")
      await this.time.advance(20)
    }
    this.network.weather = this.profile.weather
  }

  /** Runs something for a process, by its time. */
  on(process: SimulatedProcess, run: (fleet: Fleet) => Promise<void>): void {
    const { fleet, machine } = process
    if (!fleet) return
    this.time.on(machine, () => {
      run(fleet).catch((error: unknown) => this.trace.stress(`${machine.name} is refused: ${String(error)}`))
    })
  }

  /** Starts a process again after a while. */
  startLater(process: SimulatedProcess): void {
    this.time.after(this.random.between(...AWAY_MS), this.server.machine, () => process.start())
  }

  /** Sees to it that somebody reads a tenant's signals, on from where the last reader came to. */
  keepReading(): void {
    if (this.#reader?.isAlive) return
    const process = this.random.pickOf(this.up)
    if (process) this.#read(process)
  }

  #read(process: SimulatedProcess): void {
    this.#reader = process.machine
    const { seen } = this.ledger
    const from = seen.at(-1)?.cursor ?? "start"
    this.on(process, async (fleet) => {
      try {
        for await (const { signal, cursor } of fleet.tenant(this.profile.reads).signals.tail({ from, pageSize: 5 }))
          seen.push({ id: signal.id, cursor })
      } finally {
        this.#reader = undefined
      }
    })
  }
}
