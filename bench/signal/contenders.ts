import { EventEmitter } from "node:events"
import eventemitter2 from "eventemitter2"
import mqemitter from "mqemitter"
import { Qlobber } from "qlobber"
import { createRouter, type RouterOptions } from "../../src/signal/router/router.ts"
import type { Signal } from "../../src/signal/signal.ts"

/** What finds the targets of a signal. */
export interface Contender {
  readonly add: (pattern: string, target: number) => void
  readonly remove: (pattern: string, target: number) => void
  /** How many targets there are, after listing them. */
  readonly route: (signal: Signal) => number
}

/** What can list the targets of the same patterns. None but ours orders them, or asks guards. */
export const peers = { eventemitter2: eventEmitter2, qlobber }

export function ours(options?: RouterOptions<number>): Contender {
  const router = createRouter<number>(options)
  return {
    add: (pattern, target) => void router.add(pattern, target),
    remove: (pattern, target) => void router.remove(pattern, target),
    route: (signal) => router.route(signal).length,
  }
}

function eventEmitter2(): Contender {
  const emitter = new eventemitter2.EventEmitter2({ wildcard: true, delimiter: ".", maxListeners: 0 })
  const listenerOf = listeners()
  return {
    add: (pattern, target) => void emitter.on(pattern, listenerOf(target)),
    remove: (pattern, target) => void emitter.off(pattern, listenerOf(target)),
    route: ({ type }) => emitter.listeners(type).length,
  }
}

function qlobber(): Contender {
  // Its fastest setting: it keeps the segments of as many types as our router keeps results.
  const matcher = new Qlobber<number>({ separator: ".", wildcard_one: "*", wildcard_some: "**", cache_splits: 16_384 })
  return {
    add: (pattern, target) => void matcher.add(pattern, target),
    remove: (pattern, target) => void matcher.remove(pattern, target),
    route: ({ type }) => matcher.match(type).length,
  }
}

/** Emits, for it lists nothing. It finds by qlobber, so adding is measured there. */
export function mqEmitter(): Contender {
  const emitter = mqemitter({ separator: ".", wildcardOne: "*", wildcardSome: "**", concurrency: 0 })
  let heard = 0
  const listener = (_: unknown, done: () => void) => {
    heard++
    done()
  }
  return {
    add: (pattern) => void emitter.on(pattern, listener),
    remove: (pattern) => emitter.removeListener(pattern, listener),
    route: ({ type }) => {
      heard = 0
      emitter.emit({ topic: type })
      return heard
    },
  }
}

/** The floor: one look-up, which knows no wildcards. */
export function eventEmitter(): Contender {
  const emitter = new EventEmitter()
  const listenerOf = listeners()
  return {
    add: (pattern, target) => void emitter.on(pattern, listenerOf(target)),
    remove: (pattern, target) => void emitter.off(pattern, listenerOf(target)),
    route: ({ type }) => emitter.listeners(type).length,
  }
}

/** A function for each target, made once, so that it can be taken out again. */
function listeners(): (target: number) => () => number {
  const made: (() => number)[] = []
  return (target) => (made[target] ??= () => target)
}
