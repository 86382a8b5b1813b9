/** Exit code of a process that SIGINT ended. */
const INTERRUPTED = 130

/**
 * Fires when the process is asked to stop by Ctrl-C or SIGTERM. A second time ends it at once. npm and the
 * terminal may each send Ctrl-C on, so signals within a short while count as one.
 */
export function stopSignal(): AbortSignal {
  const abort = new AbortController()
  let firstAt = 0
  const onSignal = (): void => {
    if (abort.signal.aborted && performance.now() - firstAt > 500) process.exit(INTERRUPTED)
    if (!abort.signal.aborted) firstAt = performance.now()
    abort.abort()
  }
  process.on("SIGINT", onSignal)
  process.on("SIGTERM", onSignal)
  return abort.signal
}
