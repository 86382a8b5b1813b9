/** Time as retries and breakers need it; injected, so that a test moves it by hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Runs a function once, after so many milliseconds; the returned function prevents it. */
  readonly after: (ms: number, run: () => void) => () => void
}

/** The clock and the timers of the platform it runs on. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

/** The longest time a timer can run: a longer one fires at once, in browsers and in Node. */
export const MAX_TIMER_MS = 2 ** 31 - 1
