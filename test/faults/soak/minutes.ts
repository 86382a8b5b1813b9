import { setTimeout as wait } from "node:timers/promises"
import type { Fleet } from "../../../src/fleet.ts"
import type { FaultPostgres } from "../fault-postgres.ts"
import type { TenantPlace } from "../invariants/evidence.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Stage } from "../stage.ts"
import type { Crew } from "./crew.ts"
import { type Sample, takeSample } from "./samples.ts"
import { Watch } from "./watch.ts"
import type { Weather } from "./weather.ts"

/** What is looked at each minute. */
export interface MinutesDeps {
  readonly stage: Stage
  readonly fleet: Fleet
  readonly ledger: Ledger
  readonly database: FaultPostgres
  readonly tenants: readonly TenantPlace[]
  readonly crew: Crew
  readonly weather: Weather
  /** How many there are to be. */
  readonly minutes: number
}

const MINUTE_MS = 60_000
/** How often a look that failed is tried again, and after how long, milliseconds. */
const TRIES = 5
const TRY_AGAIN_MS = 2_000
/** Signals and dead letters of each tenant that are read each minute, for I10. */
const READ = 20

/** Each minute: measures, looks for violations, reads as a tenant's users do, and tells in a line how it goes. */
export class Minutes {
  readonly samples: Sample[] = []
  readonly #deps: MinutesDeps
  readonly #watch: Watch
  #ticker: NodeJS.Timeout | undefined
  #last: Promise<void> = Promise.resolve()
  #minute = 0

  constructor(deps: MinutesDeps) {
    this.#deps = deps
    this.#watch = new Watch(deps.ledger, deps.database, deps.tenants)
  }

  begin(): void {
    this.#deps.stage.cleanup("the minutes", () => clearInterval(this.#ticker))
    this.#ticker = setInterval(() => {
      const minute = ++this.#minute
      this.#last = this.#last.then(() => this.#look(minute))
    }, MINUTE_MS)
  }

  /** Looks for a last time. Returns how many violations were found on the way. */
  async end(): Promise<number> {
    clearInterval(this.#ticker)
    await this.#last
    await this.#look(this.#minute + 1)
    return this.#watch.violations
  }

  /** Some fault may be in the way. */
  async #look(minute: number, triesLeft = TRIES): Promise<void> {
    const { stage, database, tenants, crew } = this.#deps
    try {
      const sample = await takeSample(minute, database, tenants, crew)
      await this.#watch.look()
      await this.#read()
      this.samples.push(sample)
      this.#tell(sample)
    } catch (error) {
      if (triesLeft === 0) return stage.log(`minute ${minute}: the database was away (${String(error)})`)
      await wait(TRY_AGAIN_MS)
      await this.#look(minute, triesLeft - 1)
    }
  }

  #tell({ minute, signals, deliveries }: Sample): void {
    const { stage, weather, minutes } = this.#deps
    const faults = Object.values(weather.happened.counts).reduce((total, count) => total + count, 0)
    stage.log(
      `${minute > minutes ? "at the end" : `minute ${minute} of ${minutes}`}: ${signals.toLocaleString("en-US")} signals, ` +
        `${faults} faults, ${deliveries.toLocaleString("en-US")} open deliveries, ${this.#watch.violations} violations`,
    )
  }

  /** What a tenant's people get to see. */
  async #read(): Promise<void> {
    const { fleet, ledger, tenants } = this.#deps
    for (const { slug } of tenants) {
      const tenant = fleet.tenant(slug)
      const signals = await tenant.signals.list({ limit: READ, visibilities: ["internal"] })
      const letters = await tenant.deadLetters.list({ limit: READ })
      await ledger.output(slug, "signals and dead letters", JSON.stringify({ signals, letters }))
    }
  }
}
