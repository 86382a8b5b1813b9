import type { Random } from "./random.ts"

/** By how much clocks are wrong: most are nearly right, some belong to another time zone. */
const CLOCKS_MS = [0, 0, -40, 250, -3_600_000, 3_600_000] as const

/** A process as the simulation sees it: something that has a clock, runs code, stands still and is killed. */
export class Machine {
  /** As the trace shows it: a name, and which life of it, `A2`. */
  readonly name: string
  /** What its code gets from `Math.random`, and what its timers are late by. */
  readonly random: Random
  /** Nothing of a machine that is dead runs or is answered any more. */
  isAlive = true
  /** What is due before this moment waits until then, milliseconds since 1970. */
  stalledUntil = 0
  /** By how much its clock is wrong, milliseconds. */
  clockOffsetMs: number
  /** What its clock shows whatever the time is, for the server while it carries out a statement. */
  instantMs: number | undefined

  constructor(name: string, random: Random) {
    this.name = name
    this.random = random
    this.clockOffsetMs = random.pick(CLOCKS_MS)
  }

  /** What its clock shows, milliseconds since 1970. */
  wallClock(nowMs: number): number {
    return this.instantMs ?? Math.floor(nowMs + this.clockOffsetMs)
  }
}
