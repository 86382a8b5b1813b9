import type { Clock } from "../clock.ts"

/*
 * Steps that may answer at once or with a promise. A publish through synchronous middleware to
 * synchronous subscribers is over when the call returns; the first promise makes the rest wait.
 */

/** Whether a value has to be waited for. */
export function isPromiseLike<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"
}

/** Goes on at once with a value that is there, else when it comes. */
export function andThen<Value, Next>(
  value: Value | PromiseLike<Value>,
  step: (value: Value) => Next | Promise<Next>,
): Next | Promise<Next> {
  return isPromiseLike(value) ? Promise.resolve(value).then(step) : step(value)
}

/** Does a step for each item, the next one when the one before has ended. */
export function eachInOrder<Item>(
  items: readonly Item[],
  step: (item: Item, index: number) => void | Promise<void>,
): void | Promise<void> {
  let index = 0
  for (const item of items) {
    const pending = step(item, index++)
    if (pending) return restInOrder(items, step, index, pending)
  }
}

async function restInOrder<Item>(
  items: readonly Item[],
  step: (item: Item, index: number) => void | Promise<void>,
  start: number,
  pending: Promise<void>,
): Promise<void> {
  await pending
  for (const [offset, item] of items.slice(start).entries()) await step(item, start + offset)
}

/** What comes of the work, or a rejection when the time is over first; its late result is dropped. */
export function withinTime<Value>(
  work: PromiseLike<Value>,
  ms: number,
  clock: Clock,
  expired: () => Error,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(expired()))
    // Promise.resolve, since a foreign thenable may throw or call back twice.
    Promise.resolve(work).finally(cancel).then(resolve, reject)
  })
}
