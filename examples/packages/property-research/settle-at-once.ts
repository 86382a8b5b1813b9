/** Work that ends when its signal fires. */
export type Task<Result> = (abort: AbortSignal) => Promise<Result>

/** How tasks are run together. */
export interface AtOnceOptions {
  /** How many run at once. */
  readonly limit: number
  /** How long each may take, milliseconds. Its signal fires then. */
  readonly timeoutMs: number
  /** Ends them all. */
  readonly abort: AbortSignal
}

/**
 * Runs tasks, a limited number at once. What came of each stands in the order of the tasks; one that fails or takes too
 * long harms no other.
 *
 * @throws whatever `abort` fired with
 */
export async function settleAtOnce<Result>(
  tasks: readonly Task<Result>[],
  { limit, timeoutMs, abort }: AtOnceOptions,
): Promise<readonly PromiseSettledResult<Result>[]> {
  const settled: PromiseSettledResult<Result>[] = []
  // Each lane takes the next task from the one iterator that they share.
  const queue = tasks.entries()
  const lane = async (): Promise<void> => {
    for (const [place, task] of queue) settled[place] = await settle(task, timeoutMs, abort)
  }
  await Promise.all(Array.from({ length: Math.min(limit, tasks.length) }, lane))
  abort.throwIfAborted()
  return settled
}

async function settle<Result>(
  task: Task<Result>,
  timeoutMs: number,
  abort: AbortSignal,
): Promise<PromiseSettledResult<Result>> {
  const ends = AbortSignal.any([abort, AbortSignal.timeout(timeoutMs)])
  try {
    ends.throwIfAborted()
    return { status: "fulfilled", value: await task(ends) }
  } catch (reason) {
    return { status: "rejected", reason }
  }
}
