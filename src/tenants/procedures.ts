import { deleteReceived } from "../store/audit-forward.ts"
import type { Database } from "../store/database.ts"
import { selectKeptTooLong } from "../store/kept-placements.ts"
import type { OperationKind } from "../store/tenant-operations.ts"
import { exporting, importing } from "./archive-steps.ts"
import { deletion, removeKept } from "./delete-steps.ts"
import { provisioning, resumption, suspension } from "./lifecycle-steps.ts"
import { move } from "./move-steps.ts"
import type { Procedure } from "./operation-step.ts"

/** How each kind of operation goes. */
export const procedures: Readonly<Record<OperationKind, Procedure>> = {
  provision: provisioning,
  suspend: suspension,
  resume: resumption,
  delete: deletion,
  move,
  export: exporting,
  import: importing,
}

/** Places that are removed in one go. */
const AT_ONCE = 10

/** Removes places that moves left and whose time is over, and what was noted so that it is passed on once. */
export async function sweepKept(database: Database): Promise<void> {
  await deleteReceived(database)
  for (const kept of await selectKeptTooLong(database, AT_ONCE)) await removeKept(database, kept)
}
