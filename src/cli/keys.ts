import type { Command } from "commander"
import { addApiKeyCommands } from "./api-keys.ts"
import type { CommandContext } from "./command-context.ts"
import { generateKey, type KeyRingOptions, keyStatus, removeRingKey, rotateKeyRing } from "./key-ring.ts"

const DATA_DIRECTORY = ".fleetprompt/data"

/** Adds `fleetprompt keys …`. */
export function addKeyCommands(program: Command, contextOf: () => CommandContext): void {
  const keys = program.command("keys").description("The key ring that seals credentials, and API keys of tenants.")
  addKeyRingCommands(keys, contextOf)
  addApiKeyCommands(keys, contextOf)
}

function addKeyRingCommands(keys: Command, contextOf: () => CommandContext): void {
  const add = (name: string, description: string): Command =>
    keys
      .command(name)
      .description(description)
      .option("--data-directory <path>", "files of the embedded database (not used with DATABASE_URL)", DATA_DIRECTORY)
  keys
    .command("generate")
    .description("Print a new key for FLEETPROMPT_KEYS.")
    .action(() => generateKey(contextOf()))
  add("status", "Print which keys there are and what each seals.")
    .option("--json", "print one JSON object", false)
    .action((options: KeyRingOptions) => keyStatus(options, contextOf()))
  add("rotate", "Seal everything of all tenants by the current key; a key file gets a new one first.")
    .option("--by <name>", "who does it, for the audit log; default: who runs the command")
    .option("--json", "print one JSON object", false)
    .addHelpText(
      "after",
      `
Exit code: 0 when all is sealed, 1 when something could not be opened, 130 when it was stopped.
It may be stopped at any time, also by a kill: run again, it goes on.

Environment:
  FLEETPROMPT_KEYS       the key ring, id:base64 with commas between, the current key first
  FLEETPROMPT_KEYS_FILE  a file with it, which its owner alone may read`,
    )
    .action((options: KeyRingOptions) => rotateKeyRing(options, contextOf()))
  add("remove <key>", "Take a key that seals nothing any more out of the key file.")
    .option("--by <name>", "who does it, for the audit log; default: who runs the command")
    .action((key: string, options: KeyRingOptions) => removeRingKey(key, options, contextOf()))
}
