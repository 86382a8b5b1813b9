import { AsyncLocalStorage } from "node:async_hooks"
import type { Machine } from "./machine.ts"
import { type Task, TaskQueue } from "./task-queue.ts"

/** Where a piece of code runs: on which machine, and by which time. */
export interface Place {
  readonly time: VirtualTime
  readonly machine: Machine
}

/** The place of the code that is running; undefined outside of a simulation. */
export const here = new AsyncLocalStorage<Place>()

/** When a simulation begins: a moment like any other. */
export const BEGINNING_MS = Date.UTC(2026, 2, 1, 12)

// As they were before anybody put others in their place.
const { setImmediate: realImmediate } = globalThis

/** Resolves when all promises that could go on have gone on. */
function everyonesTurn(): Promise<void> {
  return new Promise((resolve) => void realImmediate(resolve))
}

/**
 * Time that passes only when nothing is left to be done at the moment. Everything that waits is a task of a machine:
 * its timers, and what comes to it from the network. Tasks run one at a time, in the order of their moments, and each
 * runs until nothing of what it began can go on without another task. So the same tasks give the same order of
 * events, each time.
 */
export class VirtualTime {
  #now = BEGINNING_MS
  #orders = 0
  readonly #tasks = new TaskQueue()

  /** Milliseconds since 1970, with a fraction. */
  get now(): number {
    return this.#now
  }

  /** Milliseconds since the simulation began. */
  get elapsed(): number {
    return this.#now - BEGINNING_MS
  }

  /** Runs something on a machine after a while, unless the task is cancelled or the machine is dead by then. */
  after(ms: number, machine: Machine, run: () => void): Task {
    const task = { at: this.#now + Math.max(0, ms), order: this.#orders++, machine, run, isCancelled: false }
    this.#tasks.push(task)
    return task
  }

  /** How many tasks of a machine are to come: none when its process could end. */
  waiting(machine: Machine): number {
    return this.#tasks.count((task) => task.machine === machine && !task.isCancelled)
  }

  /** Runs something on a machine now. */
  on<Result>(machine: Machine, run: () => Result): Result {
    return here.run({ time: this, machine }, run)
  }

  /** Lets time pass. Everything that is due until then has been run when it resolves. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await everyonesTurn()
    for (let task = this.#next(end); task; task = this.#next(end)) {
      this.#now = Math.max(this.#now, task.at)
      this.on(task.machine, task.run)
      await everyonesTurn()
    }
    this.#now = end
  }

  /** What a machine that stands still has to do waits until it goes on. */
  #next(end: number): Task | undefined {
    for (let task = this.#tasks.peek(); task && task.at <= end; task = this.#tasks.peek()) {
      this.#tasks.pop()
      if (task.isCancelled || !task.machine.isAlive) continue
      if (task.machine.stalledUntil <= Math.max(this.#now, task.at)) return task
      task.at = task.machine.stalledUntil
      this.#tasks.push(task)
    }
    return undefined
  }
}
