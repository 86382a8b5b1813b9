import type { Fleet } from "../../src/fleet.ts"
import type { FleetProcess } from "./processes/fleet-process.ts"
import type { Stage } from "./stage.ts"
import { until } from "./wait.ts"

/** Who must be well again after a fault. */
export interface Patients {
  /** A fleet of this process; signals are emitted through it. */
  readonly fleet: Fleet
  /** Processes that must say that they are ready; one of them at least runs handlers. */
  readonly processes: readonly FleetProcess[]
  /** A tenant with nothing waiting, so that what is emitted for it is next. */
  readonly tenant: string
}

/** How long it took, milliseconds from the call. */
export interface Recovery {
  /** Until all are ready and an emit was answered. */
  readonly healthyMs: number
  /** Until that signal's handler had its effect. */
  readonly handledMs: number
}

/** How soon a fleet must be healthy after its database is there again, milliseconds. */
const HEALTHY_MS = 5_000
/** A lease may have to end before, as after the loss of a worker. */
const HANDLED_MS = 15_000

/**
 * Sees a fleet get well; to be called when its database is there again.
 *
 * @param mostMs how long until it is healthy at most
 * @throws Error that says what was not well in time
 */
export async function recovery(stage: Stage, patients: Patients, mostMs = HEALTHY_MS): Promise<Recovery> {
  const { fleet, processes, tenant } = patients
  const startedAt = performance.now()
  const sinceStart = (): number => Math.round(performance.now() - startedAt)
  const { emit } = await stage.recorder(fleet)
  const [{ signal }] = await Promise.all([
    emit(tenant, { type: "order.created", data: { nonce: crypto.randomUUID() } }),
    isReady("the fleet of this process", () => fleet.health()),
    ...processes.map((each) => isReady(`process ${each.pid}`, () => each.tell("health"))),
  ])
  const healthyMs = sinceStart()
  if (healthyMs > mostMs) throw new Error(`healthy after ${healthyMs} ms, expected ${mostMs} at most`)
  const ledger = await stage.ledger()
  await until(async () => (await ledger.count("effects", `signal_id = '${signal.id}'`)) > 0, {
    withinMs: HANDLED_MS,
    what: "what was emitted after the fault is handled",
  })
  return { healthyMs, handledMs: sinceStart() }
}

async function isReady(who: string, ask: () => Promise<unknown>): Promise<void> {
  const isSaidReady = async (): Promise<boolean> => Reflect.get(Object(await ask()), "ready") === true
  await until(isSaidReady, { withinMs: 30_000, what: `${who} says that it is ready` })
}

/** The slowest of each, for the report. */
export function slowest(recoveries: readonly Recovery[]): Recovery {
  return {
    healthyMs: Math.max(...recoveries.map(({ healthyMs }) => healthyMs)),
    handledMs: Math.max(...recoveries.map(({ handledMs }) => handledMs)),
  }
}

/** Resolves once a process with a load has got further signals stored. */
export async function emits(process: FleetProcess): Promise<void> {
  const before = (await process.tell("loadCounts")).ok
  await until(async () => (await process.tell("loadCounts")).ok > before + 10, {
    withinMs: 20_000,
    what: `process ${process.pid} emits`,
  })
}
