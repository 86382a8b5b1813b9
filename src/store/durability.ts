import type { Queryable } from "./database.ts"

/** A setting of the server with which something acknowledged may be lost, or nothing can be stored. */
export interface DurabilityRisk {
  /** Its name in Postgres. */
  readonly setting: "fsync" | "full_page_writes" | "synchronous_commit" | "in_recovery"
  readonly value: string
  /** What may happen, and what to do. */
  readonly risk: string
}

type Values = Readonly<Record<DurabilityRisk["setting"], string>>

/** The value of each setting that is a risk. */
const RISKS: readonly DurabilityRisk[] = [
  {
    setting: "fsync",
    value: "off",
    risk: "a crash of the machine may lose what was acknowledged, or all data; set fsync = on",
  },
  {
    setting: "full_page_writes",
    value: "off",
    risk: "a crash in the middle of a write may damage data; set full_page_writes = on, unless the file system never writes half a page",
  },
  {
    setting: "synchronous_commit",
    value: "off",
    risk: "a crash loses what was acknowledged in the last moments before it; set synchronous_commit = on for the database and the role",
  },
  {
    setting: "in_recovery",
    value: "true",
    risk: "this server is a standby, which stores nothing; give the URL of the primary",
  },
]

/**
 * Looks for settings that break the promise that an acknowledged signal is never lost.
 *
 * @returns none when all is well.
 *
 * @example
 * for (const { setting, value, risk } of await checkDurability(database)) console.warn(`${setting} = ${value}: ${risk}`)
 */
export async function checkDurability(database: Queryable): Promise<readonly DurabilityRisk[]> {
  const [values] = await database.query<Values>(
    `/* selectDurability */
     select current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
       current_setting('synchronous_commit') as synchronous_commit, pg_is_in_recovery()::text as in_recovery`,
  )
  return RISKS.filter(({ setting, value }) => values?.[setting] === value)
}
