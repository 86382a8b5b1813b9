import type { Environment } from "../config.ts"
import { keyFile } from "../credentials/key-file.ts"
import type { KeyService } from "../credentials/key-service.ts"
import { localKeys } from "../credentials/local-keys.ts"
import { FleetPromptError } from "../errors.ts"

/**
 * The key ring that the environment names; undefined when it names none.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function keyServiceOf({ keys, keysFile }: Pick<Environment, "keys" | "keysFile">): KeyService | undefined {
  if (keys !== undefined && keysFile !== undefined)
    throw new FleetPromptError(
      "config_invalid",
      "expected one of FLEETPROMPT_KEYS and FLEETPROMPT_KEYS_FILE, got both; unset one",
    )
  if (keysFile !== undefined) return keyFile(keysFile)
  return keys === undefined ? undefined : localKeys(keys)
}
