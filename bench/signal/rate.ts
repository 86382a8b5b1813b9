/** One measured workload. */
export interface Result {
  /** Workload, for example `journal.record.star_cause_root`. */
  readonly id: string
  /** Size: how much one run of the body handles. */
  readonly n: number
  readonly ours: number
  /** The same work by others, by name. */
  readonly peers: Readonly<Record<string, number>>
  readonly unit: string
}

/** How long `rate` repeats a body, in seconds. */
const DEFAULT_SECONDS = 2

/** Runs a body once to warm it, then again and again; returns how many operations a second it did. */
export async function rate(operations: number, body: () => unknown, seconds = DEFAULT_SECONDS): Promise<number> {
  await body()
  const start = performance.now()
  let rounds = 0
  do {
    await body()
    rounds++
  } while (performance.now() - start < seconds * 1_000)
  return Math.round((rounds * operations) / ((performance.now() - start) / 1_000))
}
