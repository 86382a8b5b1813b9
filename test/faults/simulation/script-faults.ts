import type { FaultAction } from "./profile.ts"
import type { SimulatedProcess } from "./simulated-process.ts"
import type { World } from "./world.ts"

/** How long a process stands still: less than a lease, about as long as one, longer than one. */
const STALLS_MS = [800, 3_000, 9_000] as const
const GRACES_MS = [0, 500, 4_000] as const
const PARTITION_MS = [200, 6_000] as const
const OUTAGE_MS = [200, 8_000] as const
const CRASH_MS = [200, 3_000] as const
const CLOCKS_MS = [-3_600_000, -500, 0, 2_000, 3_600_000] as const

/** What goes wrong on purpose. */
export function faultActions(world: World): Readonly<Record<FaultAction, (process: SimulatedProcess) => void>> {
  const { random } = world
  return {
    kill: (process) => {
      process.kill()
      world.startLater(process)
    },
    stall: (process) => {
      // Its transactions would keep everybody waiting.
      world.server.endSessions(process.machine)
      process.stall(random.pick(STALLS_MS) * random.between(0.5, 1.6))
    },
    stop: (process) => process.stop(random.pick(GRACES_MS), () => world.startLater(process)),
    partition: (process) => partition(world, process),
    outage: () => beAway(world, random.between(...OUTAGE_MS)),
    crash: () => {
      world.server.endSessions()
      beAway(world, random.between(...CRASH_MS))
    },
    clock: ({ machine }) => {
      machine.clockOffsetMs = random.pick(CLOCKS_MS)
      world.trace.stress(`the clock of ${machine.name} is wrong by ${machine.clockOffsetMs} ms`)
    },
  }
}

function partition({ random, trace, network, server, time }: World, { machine }: SimulatedProcess): void {
  const ms = random.between(...PARTITION_MS)
  trace.stress(`${machine.name} is cut off for ${Math.round(ms)} ms`)
  network.cut(machine, ms)
  time.after(ms, server.machine, () => server.tellGap(machine))
}

function beAway({ trace, network, server, time }: World, ms: number): void {
  trace.stress(`the server is away for ${Math.round(ms)} ms`)
  network.cutAll(ms)
  time.after(ms, server.machine, () => server.tellGap())
}
