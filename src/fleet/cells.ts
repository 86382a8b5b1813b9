import { setTimeout as sleep } from "node:timers/promises"
import type { AuditCells } from "../audit/chain-writer.ts"
import { FleetPromptError } from "../errors.ts"
import { MAIN_CELL } from "../store/cells.ts"
import { observeDatabase } from "../store/observed-database.ts"
import { openDatabase } from "../store/open-database.ts"
import { isTransient } from "../store/transient.ts"
import type { FleetCells } from "../tenants/operation-step.ts"
import { Directory } from "./directory.ts"
import { databaseSettings, type FleetOptions, optionsOfCell } from "./options.ts"
import { assemble, type CellPlace, type Parts, type PartsDeps } from "./parts.ts"

/** One database of a fleet, and what works on it. */
export interface Cell {
  readonly name: string
  readonly parts: Parts
}

/** What one database of a fleet answered. */
export interface CellAnswer<Answer> {
  readonly name: string
  readonly answer: Answer
}

/** Rests between tries to reach a database that was away at the start, milliseconds. */
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000

/**
 * The databases of a running fleet: the first one, `main`, and the further ones by name. Each is whole in itself, with
 * the tables of the platform, a queue and what works on it. The first is needed for a start; one of the others that does
 * not answer then is tried again and again, while the rest of the fleet works.
 */
export class Cells {
  readonly directory: Directory = new Directory(() => this.main.database)
  readonly #deps: Omit<PartsDeps, "place">
  readonly #parts = new Map<string, Parts>()
  readonly #away = new Map<string, unknown>()
  readonly #halt = new AbortController()
  readonly #names: readonly string[]
  #retrying: readonly Promise<void>[] = []

  constructor(deps: Omit<PartsDeps, "place">) {
    this.#deps = deps
    this.#names = Object.keys(deps.options.databases ?? {})
  }

  /** Opens all. Those that are open when it fails are closed. */
  async start(): Promise<void> {
    await this.#open(MAIN_CELL)
    const tried = await Promise.allSettled(this.#names.map((name) => this.#tryFirst(name)))
    const failed = tried.find((each) => each.status === "rejected")
    if (failed) {
      await this.stop(0)
      await this.close()
      throw failed.reason
    }
    const away = tried.flatMap((each) => (each.status === "fulfilled" && each.value ? [each.value] : []))
    this.#retrying = away.map((name) => this.#retry(name))
  }

  /** Whether there are further databases. */
  get areMany(): boolean {
    return this.#names.length > 0
  }

  /** What works on the first database. */
  get main(): Parts {
    return this.get(MAIN_CELL)
  }

  /** The names of all, the first one's first. */
  get names(): readonly string[] {
    return [MAIN_CELL, ...this.#names]
  }

  /** What works on one. @throws FleetPromptError `cell_unknown`; `database_unreachable` while it was never reached */
  get(name: string): Parts {
    const parts = this.#parts.get(name)
    if (parts) return parts
    if (!this.names.includes(name)) throw unknownCell(name, this.names)
    const cause = this.#away.get(name)
    throw new FleetPromptError(
      "database_unreachable",
      `expected an answer of the database of cell "${name}", there was none since this process started; it is tried again`,
      { cause },
    )
  }

  /** Those that were reached. */
  open(): readonly Cell[] {
    return this.names.flatMap((name) => {
      const parts = this.#parts.get(name)
      return parts ? [{ name, parts }] : []
    })
  }

  /** All of them. @throws FleetPromptError `database_unreachable` when one was never reached */
  all(): readonly Cell[] {
    return this.names.map((name) => ({ name, parts: this.get(name) }))
  }

  /**
   * Asks those that were reached, the first one first. A further one that is away by now is left out, and told of as
   * `health` does: it is not to keep back what the others have to say.
   *
   * @throws what the first one throws, and what does not go away by itself
   */
  async ask<Answer>(question: (cell: Cell) => Promise<Answer>): Promise<readonly CellAnswer<Answer>[]> {
    const asked = this.open().map(async (cell): Promise<readonly CellAnswer<Answer>[]> => {
      try {
        return [{ name: cell.name, answer: await question(cell) }]
      } catch (error) {
        if (cell.name === MAIN_CELL || !isTransient(error)) throw error
        this.#tell(error)
        return []
      }
    })
    return (await Promise.all(asked)).flat()
  }

  /** Why one was never reached; undefined when it was. */
  problemOf(name: string): unknown {
    return this.#away.get(name)
  }

  /** Ends what runs by itself, in the first database last. Returns how many deliveries were given back. */
  async stop(graceMs: number): Promise<number> {
    this.#halt.abort()
    await Promise.all(this.#retrying)
    const [main, ...others] = this.open()
    const released = await Promise.all(others.map((cell) => this.#stopOne(cell, graceMs)))
    const last = (await main?.parts.stop(graceMs)) ?? 0
    return released.reduce((sum, each) => sum + each, last)
  }

  /** One that is away ends as far as it can: its leases end by themselves, and the others are to be stopped. */
  async #stopOne({ parts }: Cell, graceMs: number): Promise<number> {
    try {
      return await parts.stop(graceMs)
    } catch (error) {
      this.#tell(error)
      return 0
    }
  }

  /** Closes the databases. */
  async close(): Promise<void> {
    await Promise.all(this.open().map(({ parts }) => parts.database.close()))
  }

  /** @returns the name when it is to be tried again. */
  async #tryFirst(name: string): Promise<string | undefined> {
    try {
      await this.#open(name)
      return undefined
    } catch (error) {
      if (!isTransient(error)) throw error
      this.#note(name, error)
      return name
    }
  }

  async #retry(name: string): Promise<void> {
    for (let ms = FIRST_PAUSE_MS; !this.#halt.signal.aborted; ms = Math.min(ms * 2, LONGEST_PAUSE_MS)) {
      await sleep(ms, undefined, { signal: this.#halt.signal }).catch(() => {})
      if (this.#halt.signal.aborted) return
      try {
        await this.#open(name)
        this.#away.delete(name)
        return
      } catch (error) {
        this.#note(name, error)
      }
    }
  }

  #note(name: string, error: unknown): void {
    this.#away.set(name, error)
    this.#tell(error)
  }

  #tell(error: unknown): void {
    this.#deps.telemetry.tell("background.failed", { step: "cell", error })
  }

  async #open(name: string): Promise<void> {
    const options = this.#optionsOf(name)
    const opened = options.database ?? (await openDatabase(databaseSettings(options)))
    const database = observeDatabase(opened, this.#deps.telemetry)
    try {
      this.#parts.set(name, await assemble(database, { ...this.#deps, options, place: this.#placeOf(name) }))
    } catch (error) {
      await database.close()
      throw error
    }
  }

  #optionsOf(name: string): FleetOptions {
    return name === MAIN_CELL ? this.#deps.options : optionsOfCell(this.#deps.options, name)
  }

  /** What the parts of one know of the others; nothing where there are none. */
  #placeOf(name: string): CellPlace | undefined {
    if (!this.areMany) return undefined
    const isMain = name === MAIN_CELL
    const cells: FleetCells = { here: name, find: (other) => this.get(other).tenantsDeps, names: this.names }
    const logs: AuditCells = {
      find: (other) => this.get(other).database,
      platform: isMain ? undefined : MAIN_CELL,
    }
    return { cells, logs, ...(!isMain && { main: this.main }) }
  }
}

function unknownCell(name: string, names: readonly string[]): FleetPromptError {
  return new FleetPromptError(
    "cell_unknown",
    `expected the name of a database of this fleet, ${names.join(" or ")}, got "${name}"; add it to \`databases\`, or to FLEETPROMPT_DATABASES for the command line`,
  )
}
