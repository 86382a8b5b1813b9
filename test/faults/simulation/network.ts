import { FleetPromptError } from "../../../src/errors.ts"
import type { Machine } from "./machine.ts"
import type { Random } from "./random.ts"
import type { VirtualTime } from "./virtual-time.ts"

/** How bad the way to the database is. */
export interface Weather {
  /** Share of statements that are lost on the way there. */
  readonly lostBefore: number
  /** Share of statements that are carried out and whose answer is lost. */
  readonly lostAfter: number
  /** Share of statements that the server refuses with an error that may pass. */
  readonly refused: number
  /** Share of statements, or answers, that take seconds. */
  readonly slow: number
  /** Share of notifications that are lost. */
  readonly deaf: number
}

/** Nothing goes wrong. */
export const CALM: Weather = { lostBefore: 0, lostAfter: 0, refused: 0, slow: 0, deaf: 0 }

/** What becomes of one statement. */
export interface Fate {
  readonly requestMs: number
  readonly answerMs: number
  readonly kind: "ok" | "lost before" | "lost after" | "refused"
  /** With `refused`: what the server says. */
  readonly code: string
  /** Whether it still arrives when its sender was killed meanwhile. */
  readonly outlivesSender: boolean
}

interface Message {
  readonly machine: Machine
  readonly sentAt: number
}

/** Serialisation, deadlock, cancelled, terminated, no connection left. */
const PASSING_CODES = ["40001", "40P01", "57014", "57P01", "53300"] as const
/** A message to the server or back. */
const QUICK_MS = [0.1, 2] as const
const SLOW_MS = [100, 4_000] as const
/** Longer than anybody waits for an answer. */
const VERY_SLOW_MS = [8_000, 20_000] as const

/** The way between the machines and the database server. */
export class Network {
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #cutUntil = new Map<Machine, number>()
  readonly #underWay = new Set<Message>()
  readonly #lines = new Map<string, Random>()
  #awayUntil = 0
  #weather: Weather = CALM

  constructor(time: VirtualTime, random: Random) {
    this.#time = time
    this.#random = random
  }

  set weather(weather: Weather) {
    this.#weather = weather
  }

  /** Nobody reaches the server for a while. */
  cutAll(ms: number): void {
    this.#awayUntil = Math.max(this.#awayUntil, this.#time.now + ms)
  }

  /** One machine does not reach it. */
  cut(machine: Machine, ms: number): void {
    this.#cutUntil.set(machine, this.#time.now + ms)
  }

  /** From now on nothing is lost, late or cut. */
  heal(): void {
    this.#weather = CALM
    this.#awayUntil = 0
    this.#cutUntil.clear()
  }

  isCut(machine: Machine): boolean {
    return this.#time.now < Math.max(this.#awayUntil, this.#cutUntil.get(machine) ?? 0)
  }

  /** Something is under way for a machine, until the returned function is called or the machine is dead. */
  sent(machine: Machine): () => void {
    const message = { machine, sentAt: this.#time.now }
    this.#underWay.add(message)
    return () => void this.#underWay.delete(message)
  }

  /** Whether something is still under way that was sent so long ago, milliseconds. */
  hasOldMessages(ms: number): boolean {
    const before = this.#time.now - ms
    return [...this.#underWay].some(({ machine, sentAt }) => machine.isAlive && sentAt < before)
  }

  /**
   * What becomes of the next statement of a name. Each name has a line of draws of its own on each machine, so that
   * a statement more or less changes little for the others of its seed.
   */
  fate(machine: Machine, name: string): Fate {
    const random = this.#randomOf(`${machine.name} ${name}`)
    const { lostBefore, lostAfter, refused } = this.#weather
    const drawn = random.next()
    const rest = {
      requestMs: this.#delay(random),
      answerMs: this.#delay(random),
      code: random.pick(PASSING_CODES),
      outlivesSender: random.chance(0.5),
    }
    if (drawn < lostBefore) return { ...rest, kind: "lost before" }
    if (drawn < lostBefore + lostAfter) return { ...rest, kind: "lost after" }
    if (drawn < lostBefore + lostAfter + refused) return { ...rest, kind: "refused" }
    return { ...rest, kind: "ok" }
  }

  /** How long a notification is under way; undefined when it does not arrive. */
  notificationMs(): number | undefined {
    return this.#random.chance(this.#weather.deaf) ? undefined : this.#random.between(...QUICK_MS)
  }

  /** How long it takes until a connection is known to be refused or broken. */
  failureMs(): number {
    return this.#random.chance(0.1) ? this.#random.between(1_000, 5_000) : this.#random.between(0.2, 20)
  }

  #randomOf(line: string): Random {
    const known = this.#lines.get(line) ?? this.#random.branch(line)
    this.#lines.set(line, known)
    return known
  }

  #delay(random: Random): number {
    if (!random.chance(this.#weather.slow)) return random.between(...QUICK_MS)
    return random.chance(0.2) ? random.between(...VERY_SLOW_MS) : random.between(...SLOW_MS)
  }
}

/** What a statement is answered with that may have been carried out. */
export function connectionLost(): FleetPromptError {
  return new FleetPromptError("database_connection_lost", "the simulated connection broke")
}

/** What a statement is answered with that was never sent. */
export function unreachable(): FleetPromptError {
  return new FleetPromptError("database_unreachable", "the simulated server cannot be reached")
}

/** What the server says itself. */
export function refusal(code: string): Error {
  return Object.assign(new Error(`the simulated server refused this with ${code}`), { code })
}
