import type { Action } from "./profile.ts"
import { callActions } from "./script-calls.ts"
import { faultActions } from "./script-faults.ts"
import { operatorActions } from "./script-operator.ts"
import type { SimulatedProcess } from "./simulated-process.ts"
import type { World } from "./world.ts"

/** A fault may come so much later than its step, into the middle of what the next steps do. */
const DELAY_MS = 150

type Actions = Readonly<Record<Action, (process: SimulatedProcess) => void>>

/** Does at each step what the seed says, with a process that is up. */
export async function runScript(world: World): Promise<void> {
  const { profile, time, random } = world
  const actions: Actions = { ...callActions(world), ...laterFaults(world), ...operatorActions(world) }
  for (let step = 0; step < profile.steps; step++) {
    world.keepReading()
    const action = random.weighted(profile.actions)
    const process = random.pickOf(world.up)
    if (process) actions[action](process)
    await time.advance(restMs(world))
  }
}

/** The faults, about half of them at some moment between two steps. */
function laterFaults(world: World): ReturnType<typeof faultActions> {
  const { random, time, server } = world
  const later = (act: (process: SimulatedProcess) => void) => {
    return (process: SimulatedProcess): void => {
      const ms = Math.max(0, random.between(-DELAY_MS, DELAY_MS))
      time.after(ms, server.machine, () => process.isUp && act(process))
    }
  }
  const { kill, stall, stop, partition, outage, crash, clock } = faultActions(world)
  return {
    kill: later(kill),
    stall: later(stall),
    stop: later(stop),
    partition: later(partition),
    outage: later(outage),
    crash: later(crash),
    clock,
  }
}

/** Most steps come close together; some leave time for timeouts and retries, a few for leases to end. */
function restMs({ random }: World): number {
  if (random.chance(0.7)) return random.between(0, 120)
  return random.chance(0.85) ? random.between(100, 1_500) : random.between(1_500, 5_000)
}
