import type { Database } from "../store/database.ts"
import { selectTakesWrites } from "../store/takes-writes.ts"

/** One thing that must be so before a fleet can do its work. */
export interface HealthCheck {
  /** For example `database`. */
  readonly name: string
  readonly ok: boolean
  /** What is the matter, or how well it is. */
  readonly detail: string
}

/** Whether a fleet can do its work. */
export interface Health {
  readonly ready: boolean
  readonly checks: readonly HealthCheck[]
}

/** How long the database may take to answer, milliseconds. */
const PATIENCE_MS = 2_000

/**
 * Asks whether a fleet can do its work: whether its database answers and takes writes, which a standby does not.
 * `database` is undefined before it is started and after it was stopped.
 */
export async function checkHealth(database: Database | undefined, isStopping: boolean): Promise<Health> {
  const checks = database
    ? [{ name: "fleet", ok: !isStopping, detail: isStopping ? "is stopping" : "is running" }, await answers(database)]
    : [{ name: "fleet", ok: false, detail: "was not started, or was stopped" }]
  return { ready: checks.every(({ ok }) => ok), checks }
}

async function answers(database: Database): Promise<HealthCheck> {
  const start = performance.now()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS)
  })
  try {
    const takesWrites = await Promise.race([selectTakesWrites(database), late])
    const took = `answered in ${Math.round(performance.now() - start)} ms`
    return { name: "database", ok: takesWrites, detail: takesWrites ? took : `${took}, and takes no writes` }
  } catch (error) {
    return { name: "database", ok: false, detail: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}
