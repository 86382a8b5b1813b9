import { setTimeout as wait } from "node:timers/promises"

/** How long something may take, and what it is. */
export interface Patience {
  /** Milliseconds. */
  readonly withinMs: number
  /** What is waited for, for the error: `the delivery is taken over`. */
  readonly what: string
  /** How often it is asked, milliseconds. Default 50. */
  readonly everyMs?: number
}

/** What is being waited for in this process, for whoever has to tell why nothing goes on. */
export const waitedFor = new Set<string>()

/**
 * Asks again and again until the answer is neither false, null nor undefined. A condition that throws counts as not
 * met, and its last error is told when time is over.
 *
 * @returns the answer
 * @throws Error that says what was waited for, for how long, and what the last answer was
 */
export async function until<Answer>(
  condition: () => Answer | Promise<Answer>,
  patience: Patience,
): Promise<Met<Answer>> {
  waitedFor.add(patience.what)
  try {
    return await poll(condition, patience)
  } finally {
    waitedFor.delete(patience.what)
  }
}

type Met<Answer> = Exclude<Awaited<Answer>, false | null | undefined>

async function poll<Answer>(
  condition: () => Answer | Promise<Answer>,
  { withinMs, what, everyMs = 50 }: Patience,
): Promise<Met<Answer>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    let last: unknown
    try {
      const answer = await condition()
      last = answer
      // What is left when the three are excluded.
      if (answer !== false && answer !== null && answer !== undefined) return answer as Met<Answer>
    } catch (error) {
      last = error
    }
    if (performance.now() >= deadline) throw new Error(`${what}: not within ${withinMs} ms; last ${String(last)}`)
    await wait(everyMs)
  }
}
