/** Starts now; the returned function tells the milliseconds since. */
export function stopwatch(): () => number {
  const start = performance.now()
  return () => performance.now() - start
}
