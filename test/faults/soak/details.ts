import { readFile, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Figures } from "../scenario.ts"
import type { Sample } from "./samples.ts"

/** What a soak tells for the report, whether it held or not. */
export interface SoakDetails {
  readonly figures: Figures
  /** Names of the processes, in the order of each sample's memory. */
  readonly members: readonly string[]
  readonly samples: readonly Sample[]
  /** How often each fault happened. */
  readonly faults: Readonly<Record<string, number>>
}

const FILE = "soak.json"

/** Leaves them in the directory of the scenario's own process, which is that of its temporary files. */
export async function keepDetails(details: SoakDetails): Promise<void> {
  await writeFile(join(tmpdir(), FILE), JSON.stringify(details))
}

/** Reads what a soak left in its directory; undefined when it did not run or did not get there. */
export async function readDetails(directory: string): Promise<SoakDetails | undefined> {
  const text = await readFile(join(directory, FILE), "utf8").catch(() => undefined)
  // It was written by the function above.
  return text === undefined ? undefined : (JSON.parse(text) as SoakDetails)
}
