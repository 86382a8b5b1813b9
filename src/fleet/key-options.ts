import { isProduction } from "../config.ts"
import { join } from "node:path"
import { keyFile } from "../credentials/key-file.ts"
import type { KeyService } from "../credentials/key-service.ts"
import { createLocalKey, formatKeys, localKeys } from "../credentials/local-keys.ts"
import { DEFAULT_DATA_DIRECTORY, type FleetOptions, MEMORY } from "./options.ts"

/** The file with the development key, in the data directory. */
const KEY_FILE = "keys"

/**
 * The key ring of a fleet: the one that was given, or for development one beside the embedded database's files, made at
 * the first use. A database that keeps nothing has a ring that nobody keeps. A server has none by itself: a key that
 * is made on one machine and lost with it would take all secrets along.
 */
export function keysOf(options: FleetOptions): KeyService | undefined {
  const { keys, database, databaseUrl, dataDirectory = DEFAULT_DATA_DIRECTORY, production = isProduction() } = options
  if (keys) return keys
  if (production || database || databaseUrl !== undefined) return undefined
  if (dataDirectory === MEMORY) return localKeys(formatKeys([createLocalKey()]))
  return developmentKeys(dataDirectory)
}

/** A ring in a file of the data directory, made at the first use. */
export function developmentKeys(dataDirectory: string): KeyService {
  return keyFile(join(dataDirectory, KEY_FILE), { create: "when-missing" })
}
