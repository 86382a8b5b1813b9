import { defineHandler } from "../../src/delivery/handler.ts"
import { isFleetPromptError } from "../../src/errors.ts"
import type { Database } from "../../src/store/database.ts"
import { hasSchema } from "../../src/store/tenant-copy.ts"
import { countTenantRows } from "../../src/store/tenant-removal.ts"
import { type Placement, SHARED_SCHEMA } from "../../src/store/tenant-scope.ts"
import type { FleetOperations } from "../../src/tenants/operations.ts"

/** Notes which items it had, and tells of each. */
export function workHandler(ran: string[]) {
  return defineHandler({
    name: "work",
    on: "item.**",
    run: async ({ signal, emit }) => {
      ran.push(signal.id)
      await emit("seen.item", {})
    },
  })
}

/** Leaves a dead letter for each bad one. */
export const failingHandler = defineHandler({
  name: "fails",
  on: "bad.**",
  retry: { attempts: 1 },
  run: () => Promise.reject(new Error("no")),
})

/** Cancels what has not ended yet. */
export async function cancelUnlessEnded(operations: FleetOperations, id: string): Promise<void> {
  await operations.cancel(id).catch((error: unknown) => {
    if (!isFleetPromptError(error) || error.code !== "operation_ended") throw error
  })
}

/** What of a tenant is at a place: its signals, 1 for a schema of its own, 0 where nothing is. */
export async function leftAt(database: Database, slug: string, placement: Placement): Promise<number> {
  const name = placement === "shared" ? SHARED_SCHEMA : `org_${slug}`
  if (!(await hasSchema(database, name))) return 0
  if (placement === "own") return 1
  return database.owner.transaction((tx) => countTenantRows(tx, name, "signals", slug))
}
