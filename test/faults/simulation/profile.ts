import type { WorkerSettings } from "../../../src/delivery/worker.ts"
import type { EmitQueueSettings } from "../../../src/emit/admission.ts"
import type { Weather } from "./network.ts"
import type { Random } from "./random.ts"
import { TENANT_NAMES } from "./store.ts"

/** A call of emit. repeat: under a key of before, the same; contradict: under a key of before, something else. */
export type CallAction = "emit" | "repeat" | "contradict" | "batch" | "transaction" | "burst"

/** Something that goes wrong on purpose. */
export type FaultAction = "kill" | "stall" | "stop" | "partition" | "outage" | "crash" | "clock"

/** Something that a person does. */
export type OperatorAction = "pause" | "resume" | "redrive" | "replay"

/** What the script does at a step. */
export type Action = CallAction | FaultAction | OperatorAction

/** How a process is set up. */
export interface ProcessSettings {
  /** False: it emits, and runs no handlers. */
  readonly worker: WorkerSettings | false
  /** Of its handlers. */
  readonly version: number
  readonly emitQueue: Partial<EmitQueueSettings>
}

/** What kind of run a seed is. */
export interface Profile {
  readonly steps: number
  readonly processes: readonly ProcessSettings[]
  readonly weather: Weather
  /** Whose signals are read in order. */
  readonly reads: string
  readonly actions: Readonly<Record<Action, number>>
}

const EMITS = { emit: 30, repeat: 10, contradict: 3, batch: 8, transaction: 8, burst: 9 }
const QUIET = { kill: 0, stall: 0, stop: 0, partition: 0, outage: 0, crash: 0, clock: 1 }
const OPERATORS = { pause: 2, resume: 4, redrive: 4, replay: 2 }

/** Draws one. Each kind of fault is left out by some, so that the others are seen alone. */
export function drawProfile(random: Random): Profile {
  return {
    steps: random.whole(10, 20),
    processes: drawProcesses(random),
    weather: drawWeather(random),
    reads: random.pick(TENANT_NAMES),
    actions: {
      ...EMITS,
      ...QUIET,
      ...OPERATORS,
      ...(random.chance(0.6) && { kill: random.whole(2, 6), stop: random.whole(0, 3) }),
      ...(random.chance(0.5) && { stall: random.whole(2, 5) }),
      ...(random.chance(0.5) && { partition: 2, outage: 2, crash: 2 }),
    },
  }
}

/** The first is a worker with the newest code, so that everything is done in the end. */
function drawProcesses(random: Random): readonly ProcessSettings[] {
  const leaseMs = random.pick([2_000, 4_000, 12_000])
  const emitQueue = random.pick([{}, {}, { limit: 3, waitMs: 2_000 }, { limit: 3, whenFull: "refuse" as const }])
  const newest = random.pick([1, 1, 2])
  const process = (version: number): ProcessSettings => ({
    worker: { concurrency: random.pick([2, 5, 100]), leaseMs, pollMs: random.pick([700, 1_000]) },
    version,
    emitQueue,
  })
  const first = process(newest)
  const others = random.chance(0.3) ? [process(1), process(newest)] : [process(random.pick([1, newest]))]
  return random.chance(0.2) ? [first, { ...process(1), worker: false }] : [first, ...others]
}

function drawWeather(random: Random): Weather {
  const rate = random.pick([0, 0.01, 0.03, 0.1])
  return {
    lostBefore: rate / 2,
    lostAfter: rate,
    refused: random.pick([0, rate / 2]),
    slow: random.pick([0, 0, 0.02, 0.08]),
    deaf: random.pick([0, 0.1, 1]),
  }
}
