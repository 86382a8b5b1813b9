import { FleetPromptError } from "../../errors.ts"

/**
 * Loads a package that only some users need.
 *
 * @throws FleetPromptError `peer_missing`, whose message names the package
 */
export async function loadPeer<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    throw new FleetPromptError(
      "peer_missing",
      `expected the package ${name} to be installed, and it could not be loaded; run: npm install ${name}`,
      { cause },
    )
  }
}
