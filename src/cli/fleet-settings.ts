import { parsePeppers } from "../access/api-key-text.ts"
import type { Environment } from "../config.ts"
import type { FleetOptions } from "../fleet/options.ts"
import { parseDatabases } from "./database-settings.ts"
import { keyServiceOf } from "./key-settings.ts"

/** How API keys are made and checked. */
function apiKeySettings({ keyPepper, keyEnvironment }: Environment): Pick<FleetOptions, "apiKeys"> {
  const apiKeys = {
    ...(keyEnvironment !== undefined && { environment: keyEnvironment }),
    ...(keyPepper !== undefined && { peppers: parsePeppers(keyPepper) }),
  }
  return { apiKeys }
}

/** What the environment says of further databases. */
export function furtherDatabases({ databases }: Environment): Pick<FleetOptions, "databases"> {
  return databases === undefined ? {} : { databases: parseDatabases(databases) }
}

/** What the environment says of the fleet that a command works on. */
export function fleetSettings(environment: Environment, dataDirectory: string): FleetOptions {
  const { databaseUrl, listenUrl, ownerUrl } = environment
  return {
    databaseUrl,
    listenUrl,
    ownerUrl,
    ...furtherDatabases(environment),
    dataDirectory,
    keys: keyServiceOf(environment),
    ...apiKeySettings(environment),
  }
}
