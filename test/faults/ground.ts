import { chmod, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  type ClusterTemplate,
  createClusterTemplate,
  startPostgresCluster,
} from "../../test/support/postgres-cluster.ts"
import { Closing } from "./closing.ts"

/** What all scenarios of a run share. */
export interface Ground {
  /** Everything that the run writes to disk is below it. */
  readonly directory: string
  /** Files that each cluster begins with. */
  readonly template: ClusterTemplate
  /** The server of the ledgers, which no fault touches. */
  readonly ledgerServerUrl: string
  /** Stops and removes all of it. */
  readonly leave: () => Promise<void>
}

/** Nothing is lost here but by a crash of the machine, and the disk is left to those who are tested. */
const LEDGER_SETTINGS = { fsync: "off", synchronous_commit: "off", max_connections: "500" }

/** Makes the files of a cluster, and starts the ledgers' server. */
export async function prepareGround(): Promise<Ground> {
  const closing = new Closing()
  const leave = async (): Promise<void> => {
    const complaints = await closing.closeAll()
    if (complaints.length > 0) throw new Error(complaints.join("\n"))
  }
  const directory = await mkdtemp(join(tmpdir(), "fleetprompt-faults-"))
  closing.add("the run's directory", () => rm(directory, { recursive: true, force: true }))
  try {
    // Servers run as another user when this one is root.
    await chmod(directory, 0o755)
    const template = await createClusterTemplate({ directory })
    const ledgers = await startPostgresCluster({ directory, template, settings: LEDGER_SETTINGS })
    closing.add("the ledgers' server", ledgers.stop)
    return { directory, template, ledgerServerUrl: ledgers.url, leave }
  } catch (error) {
    await leave()
    throw error
  }
}
