/** Rows move at most this often, milliseconds: faster than that nobody can read. */
const GAP_MS = 100

/** Makes a function that asks for a rendering: in the next frame, once for all that ask before, with a gap between two. */
export function frameBatch(render: () => void): () => void {
  let isDue = false
  let last = Number.NEGATIVE_INFINITY
  const run = (): void => {
    isDue = false
    last = performance.now()
    render()
  }
  return () => {
    if (isDue) return
    isDue = true
    const wait = last + GAP_MS - performance.now()
    if (wait <= 0) requestAnimationFrame(run)
    else setTimeout(() => requestAnimationFrame(run), wait)
  }
}
