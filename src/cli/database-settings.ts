import { FleetPromptError } from "../errors.ts"
import type { CellOptions } from "../fleet/options.ts"

/** What may stand behind a name, and which option that is. */
const OPTION = { "": "databaseUrl", ".listen": "listenUrl", ".owner": "ownerUrl" } as const
const ENTRY = /^([a-z][a-z0-9_-]*)(|\.listen|\.owner)=(\S+)$/

/**
 * Reads `FLEETPROMPT_DATABASES`: `name=url` with spaces or line ends between. A message never holds a URL, which may
 * have a password.
 *
 * @throws FleetPromptError `config_invalid`
 * @example
 * parseDatabases("eu=postgres://eu.example.com/fleet us=postgres://us.example.com/fleet")
 */
export function parseDatabases(text: string): Readonly<Record<string, CellOptions>> {
  const databases: Record<string, CellOptions> = {}
  for (const [at, entry] of text.split(/\s+/).filter(Boolean).entries()) {
    const [, name, suffix, url] = ENTRY.exec(entry) ?? []
    if (name === undefined || url === undefined) throw notRead(at)
    // The expression allows these three alone.
    const option = OPTION[(suffix ?? "") as keyof typeof OPTION]
    databases[name] = { ...databases[name], [option]: url }
  }
  return databases
}

function notRead(at: number): FleetPromptError {
  return new FleetPromptError(
    "config_invalid",
    `expected FLEETPROMPT_DATABASES as name=url, name.listen=url or name.owner=url with spaces between, got something else at place ${at + 1}`,
  )
}
