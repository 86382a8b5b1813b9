import { GrowingPause } from "../store/growing-pause.ts"
import { isTransient } from "../store/transient.ts"

/** How long an emit tries to reach a database that does not answer, milliseconds. */
export const TRY_MS = 15_000
export const FIRST_PAUSE_MS = 20
export const LONGEST_PAUSE_MS = 1_000

/**
 * Asks again while the database is away or refuses for a reason that goes away by itself, until the time is over.
 *
 * @param deadline milliseconds of `performance.now()`.
 * @throws what the last try threw.
 */
export async function whileAway<Result>(deadline: number, ask: () => Promise<Result>): Promise<Result> {
  const pause = new GrowingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isTransient(error) || performance.now() + pause.ms > deadline) throw error
      await pause.rest()
    }
  }
}
