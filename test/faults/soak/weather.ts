import { setTimeout as wait } from "node:timers/promises"
import { type Chance, seededChance } from "./chance.ts"
import { FAULTS, type Fault, RESTART, type Scene } from "./faults.ts"
import { FAULT_EVERY_MS } from "./plan.ts"

/** What has happened so far. */
export interface Happened {
  /** How often each fault. */
  readonly counts: Readonly<Record<string, number>>
  /** Faults that could not happen: nobody was free for them, or the database was away. */
  readonly missed: number
}

/** How bad the weather is to be. */
export interface WeatherOptions {
  readonly seed: number
  readonly forMs: number
  /** Within these milliseconds since the begin Postgres is not restarted. */
  readonly noRestarts: readonly [from: number, to: number]
}

/** One fault after the other, at fixed times. The same seed brings the same faults in the same order. */
export class Weather {
  readonly #scene: Scene
  readonly #options: WeatherOptions
  readonly #counts: Record<string, number> = {}
  readonly #underWay = new Set<Promise<void>>()
  #missed = 0

  constructor(scene: Scene, options: WeatherOptions) {
    this.#scene = scene
    this.#options = options
  }

  get happened(): Happened {
    return { counts: { ...this.#counts }, missed: this.#missed }
  }

  /** Resolves when the time is over and the last fault as well. */
  async rage(): Promise<void> {
    const startedAt = performance.now()
    for (const { fault, at, chance } of forecast(this.#options)) {
      await wait(Math.max(0, at - (performance.now() - startedAt)))
      this.#counts[fault.name] = (this.#counts[fault.name] ?? 0) + 1
      const happening = this.#happen(fault, chance).finally(() => this.#underWay.delete(happening))
      this.#underWay.add(happening)
    }
    await Promise.all(this.#underWay)
  }

  async #happen(fault: Fault, chance: Chance): Promise<void> {
    try {
      await fault.happen(this.#scene, chance)
    } catch (error) {
      this.#missed += 1
      this.#scene.log(`${fault.name} could not happen: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

/** A fault, when it happens (milliseconds since the begin), and the chance that its victims come from. */
export interface Forecast {
  readonly fault: Fault
  readonly at: number
  readonly chance: Chance
}

/** All faults of a time, from the seed alone. Each has a chance of its own, so that none depends on how others went. */
export function forecast({ seed, forMs, noRestarts: [from, to] }: WeatherOptions): readonly Forecast[] {
  const last = new Map<Fault, number>()
  return Array.from({ length: Math.floor(forMs / FAULT_EVERY_MS) }, (_, n) => {
    const at = (n + 1) * FAULT_EVERY_MS
    const chance = seededChance(seed * 1_000_003 + n)
    const allowed = FAULTS.filter((fault) => {
      if (fault.name === RESTART && at >= from && at < to) return false
      return at - (last.get(fault) ?? -Infinity) >= (fault.everyMs ?? 0)
    })
    const fault = byWeight(allowed, chance)
    last.set(fault, at)
    return { fault, at, chance }
  })
}

function byWeight(faults: readonly Fault[], chance: Chance): Fault {
  return chance.pick(faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault)))
}
