import type { Command } from "commander"
import { FleetPromptError } from "../errors.ts"
import { openServerDatabase } from "../store/server-database.ts"
import type { CommandContext } from "./command-context.ts"
import { examine } from "./doctor-checks.ts"
import type { DoctorLine } from "./doctor-line.ts"

/** Options of `fleetprompt doctor`. */
export interface DoctorOptions {
  /** Whether one JSON object is printed instead of lines. */
  readonly json: boolean
}

/** Adds `fleetprompt doctor`. */
export function addDoctorCommand(program: Command, contextOf: () => CommandContext): void {
  program
    .command("doctor")
    .description("Look whether the server at DATABASE_URL is safe and well: walls between tenants, durability, clock.")
    .option("--json", "print one JSON object", false)
    .addHelpText("after", "\nReads the catalogue and changes nothing. Exit code: 1 when something is unsafe.")
    .action(async (options: DoctorOptions) => {
      if (!(await doctor(options, contextOf()))) process.exitCode = 1
    })
}

/**
 * Looks at the server, live, and prints what is so and what to do.
 *
 * @returns whether nothing is unsafe.
 * @throws FleetPromptError `config_invalid` without a server, and what opening the database throws
 */
export async function doctor(options: DoctorOptions, { environment, output }: CommandContext): Promise<boolean> {
  const { databaseUrl, listenUrl } = environment
  if (databaseUrl === undefined) throw needsServer()
  // As the login itself: the roles may be what is missing.
  const database = await openServerDatabase({ connectionString: databaseUrl, ...(listenUrl && { listenUrl }) })
  try {
    const lines = await examine(database)
    const isSafe = lines.every(({ status }) => status !== "unsafe")
    output(options.json ? JSON.stringify({ isSafe, checks: lines }, null, 2) : lines.map(formatLine).join("\n"))
    return isSafe
  } finally {
    await database.close()
  }
}

function needsServer(): FleetPromptError {
  return new FleetPromptError(
    "config_invalid",
    "expected DATABASE_URL, the server to look at; the embedded database belongs to one process and has its own limits, see its guide",
  )
}

const MARKS = { ok: "ok     ", warning: "WARNING", unsafe: "UNSAFE " } as const

function formatLine({ check, status, detail, advice }: DoctorLine): string {
  const lines = [`${MARKS[status]} ${check.padEnd(13)} ${detail}`]
  if (advice !== undefined) lines.push(...advice.split("\n").map((line) => `        → ${line}`))
  return lines.join("\n")
}
