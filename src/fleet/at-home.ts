import { TRY_MS } from "../emit/while-away.ts"
import { FleetPromptError, isFleetPromptError } from "../errors.ts"
import { MAIN_CELL } from "../store/cells.ts"
import { GrowingPause } from "../store/growing-pause.ts"
import type { Cells } from "./cells.ts"

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1_000

/** Whether a database refused since it does not have the tenant's rows. */
export function isElsewhere(error: unknown): boolean {
  return isFleetPromptError(error) && error.code === "tenant_elsewhere"
}

/**
 * Does something in the cell where a tenant is. Told that the tenant is not there any more, in which case nothing was
 * done, it asks the directory anew. Between the directory's commit and that of the new place a moment passes, for which
 * it waits.
 *
 * @throws FleetPromptError `tenant_moving`, and whatever `run` throws
 */
export async function atHome<Result>(
  cells: Cells,
  slug: string,
  run: (cell: string) => Promise<Result>,
): Promise<Result> {
  if (!cells.areMany) return run(MAIN_CELL)
  const deadline = performance.now() + TRY_MS
  const pause = new GrowingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
  for (;;) {
    const cell = await cells.directory.find(slug)
    try {
      return await run(cell)
    } catch (error) {
      if (!isElsewhere(error)) throw error
      cells.directory.forget(slug)
      if (performance.now() + pause.ms > deadline) throw stillMoving(slug, error)
      if ((await cells.directory.find(slug)) === cell) {
        cells.directory.forget(slug)
        await pause.rest()
      }
    }
  }
}

function stillMoving(slug: string, cause: unknown): FleetPromptError {
  return new FleetPromptError(
    "tenant_moving",
    `expected a tenant that may be used, "${slug}" is on its way to another database; try again in a moment`,
    { cause },
  )
}
