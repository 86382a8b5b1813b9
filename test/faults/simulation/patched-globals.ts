import { syncBuiltinESMExports } from "node:module"
import timersPromises from "node:timers/promises"
import { here, type Place } from "./virtual-time.ts"
import type { Task } from "./task-queue.ts"

/** Node's longest timer; beyond it a timer fires at once. */
const MAX_TIMER_MS = 2_147_483_647
/** Timers of Node may be so much too early by `performance.now`, and are late by more. */
const EARLY_MS = 0.5
const LATE_MS = 1.5
/** One turn of an event loop. */
const TURN_MS = 0.05

/** A timer of a machine. What Node's have beside this does nothing here. */
class VirtualTimer {
  task: Task | undefined
  unref = (): this => this
  ref = (): this => this
  hasRef = (): boolean => true
}

/**
 * Puts functions in the place of those that tell the time, wait or draw random numbers. Code that runs on a machine
 * of a simulation gets the simulation's; all other code gets what it got before.
 *
 * @returns what takes them back.
 */
export function patchGlobals(): () => void {
  const restores = [patchTimers(), patchIntervals(), patchImmediates(), patchClocks(), patchTimerPromises()]
  return () => restores.forEach((restore) => restore())
}

type Callback = (...values: readonly unknown[]) => void

function patchTimers(): () => void {
  const set = globalThis.setTimeout
  const clear = globalThis.clearTimeout
  const fakeSet = (run: Callback, ms?: number, ...values: readonly unknown[]) => {
    const place = here.getStore()
    return place ? startTimer(place, () => run(...values), ms) : set(run, ms, ...values)
  }
  replace(globalThis, "setTimeout", fakeSet)
  replace(globalThis, "clearTimeout", clearing(clear))
  return () => Object.assign(globalThis, { setTimeout: set, clearTimeout: clear })
}

function startTimer({ time, machine }: Place, run: () => void, ms: number | undefined): VirtualTimer {
  const timer = new VirtualTimer()
  timer.task = time.after(timerMs(ms) + machine.random.between(-EARLY_MS, LATE_MS), machine, run)
  return timer
}

function timerMs(ms: number | undefined): number {
  return ms !== undefined && ms >= 1 && ms <= MAX_TIMER_MS ? Math.trunc(ms) : 1
}

function clearing(real: (timer?: NodeJS.Timeout) => void) {
  return (timer?: NodeJS.Timeout | VirtualTimer): void => {
    if (!(timer instanceof VirtualTimer)) return real(timer)
    if (timer.task) timer.task.isCancelled = true
    timer.task = undefined
  }
}

function patchIntervals(): () => void {
  const set = globalThis.setInterval
  const clear = globalThis.clearInterval
  const fakeSet = (run: Callback, ms?: number, ...values: readonly unknown[]) => {
    const place = here.getStore()
    if (!place) return set(run, ms, ...values)
    const timer = new VirtualTimer()
    const begin = (): void => {
      timer.task = startTimer(place, tick, ms).task
    }
    const tick = (): void => {
      begin()
      run(...values)
    }
    begin()
    return timer
  }
  replace(globalThis, "setInterval", fakeSet)
  replace(globalThis, "clearInterval", clearing(clear))
  return () => Object.assign(globalThis, { setInterval: set, clearInterval: clear })
}

function patchImmediates(): () => void {
  const set = globalThis.setImmediate
  const fakeSet = (run: Callback, ...values: readonly unknown[]) => {
    const place = here.getStore()
    if (!place) return set(run, ...values)
    const timer = new VirtualTimer()
    timer.task = place.time.after(TURN_MS, place.machine, () => run(...values))
    return timer
  }
  replace(globalThis, "setImmediate", fakeSet)
  return () => Object.assign(globalThis, { setImmediate: set })
}

/** A machine's clock may be wrong and jump; what it measures times with does not. */
function patchClocks(): () => void {
  const { now } = Date
  const { random } = Math
  const measure = performance.now.bind(performance)
  Date.now = () => {
    const place = here.getStore()
    return place ? place.machine.wallClock(place.time.now) : now()
  }
  performance.now = () => here.getStore()?.time.elapsed ?? measure()
  Math.random = () => here.getStore()?.machine.random.next() ?? random()
  return () => {
    Date.now = now
    Math.random = random
    // It hides the one that all share.
    Reflect.deleteProperty(performance, "now")
  }
}

function patchTimerPromises(): () => void {
  const { setTimeout: wait, setImmediate: turn } = timersPromises
  const fakeWait = (ms?: number, value?: unknown, options: { readonly signal?: AbortSignal } = {}) => {
    const place = here.getStore()
    return place ? waitOn(place, ms, value, options.signal) : wait(ms, value, options)
  }
  const fakeTurn = (value?: unknown) => {
    const place = here.getStore()
    if (!place) return turn(value)
    return new Promise((resolve) => void place.time.after(TURN_MS, place.machine, () => resolve(value)))
  }
  replace(timersPromises, "setTimeout", fakeWait)
  replace(timersPromises, "setImmediate", fakeTurn)
  syncBuiltinESMExports()
  return () => {
    Object.assign(timersPromises, { setTimeout: wait, setImmediate: turn })
    syncBuiltinESMExports()
  }
}

function waitOn(place: Place, ms: number | undefined, value: unknown, signal: AbortSignal | undefined) {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      if (timer.task) timer.task.isCancelled = true
      reject(new DOMException("The operation was aborted", "AbortError"))
    }
    const timer = startTimer(
      place,
      () => {
        signal?.removeEventListener("abort", abort)
        resolve(value)
      },
      ms,
    )
    if (signal?.aborted) abort()
    else signal?.addEventListener("abort", abort, { once: true })
  })
}

/** The types of Node's functions have overloads and properties that nothing here uses. */
function replace(object: object, name: string, value: unknown): void {
  Reflect.set(object, name, value)
}
