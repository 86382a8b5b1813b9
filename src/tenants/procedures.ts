import { deleteReceived } from "../store/audit-forward.ts"
import type { Database } from "../store/database.ts"
import { selectKeptTooLong } from "../store/kept-placements.ts"
import type { OperationKind } from "../store/tenant-operations.ts"
import { exporting, importing } from "./archive-steps.ts"
import { cellMove, isCellMove } from "./cell-move-steps.ts"
import { deletion, removeKept } from "./delete-steps.ts"
import { provisioning, resumption, suspension } from "./lifecycle-steps.ts"
import { move } from "./move-steps.ts"
import type { Procedure, Step, StepContext } from "./operation-step.ts"

const UNDO = "undo"

/** How each kind of operation goes. */
export const procedures: Readonly<Record<OperationKind, Procedure>> = {
  provision: provisioning,
  suspend: suspension,
  resume: resumption,
  delete: deletion,
  move: eitherWay(move, cellMove),
  export: exporting,
  import: importing,
}

/** A database that this process does not know, another one may know. */
const UNKNOWN_POLL_MS = 5_000

/** A move within one database, or to another one. */
function eitherWay(within: Procedure, between: Procedure): Procedure {
  const chosen = (context: StepContext): Procedure => (isCellMove(context) ? between : within)
  const step =
    (name: string): Step =>
    async (context) => {
      if (isCellMove(context) && !context.cells?.names.includes(String(context.operation.params["cell"])))
        return { kind: "wait", ms: UNKNOWN_POLL_MS }
      const named = name === UNDO ? chosen(context).undo : chosen(context).steps[name]
      if (!named) throw new Error(`a move has no step ${name}`)
      return named(context)
    }
  const names = [...new Set([...Object.keys(within.steps), ...Object.keys(between.steps)])]
  return {
    first: within.first,
    steps: Object.fromEntries(names.map((name) => [name, step(name)])),
    undo: step(UNDO),
    final: [...new Set([...(within.final ?? []), ...(between.final ?? [])])],
  }
}

/** Places that are removed in one go. */
const AT_ONCE = 10

/** Removes places that moves left and whose time is over, and what was noted so that it is passed on once. */
export async function sweepKept(database: Database): Promise<void> {
  await deleteReceived(database)
  for (const kept of await selectKeptTooLong(database, AT_ONCE)) await removeKept(database, kept)
}
