import { MAIN_CELL } from "../store/cells.ts"
import type { OperationRecord } from "../store/tenant-operations.ts"
import { type FleetOperations, type OperationListOptions, openOperations } from "../tenants/operations.ts"
import { lazily } from "../tenants/tenant.ts"
import type { Cells } from "./cells.ts"

const DEFAULT_LIMIT = 100

/** The operations of a fleet. Each is in the database where its tenant was when it began. */
export function openOperationsByCell(running: () => Cells): FleetOperations {
  const doorOf = (cell: string): FleetOperations => openOperations(() => running().get(cell).tenantsDeps)
  const ofOne = async (id: string): Promise<FleetOperations> => doorOf(await cellOf(running(), id, doorOf))
  return Object.freeze({
    get: async (id: string) => (await ofOne(id)).get(id),
    list: (options: OperationListOptions = {}) => listAll(running(), doorOf, options),
    watch: (id: string, options) => lazily(async () => (await ofOne(id)).watch(id, options)),
    wait: async (id: string, options) => (await ofOne(id)).wait(id, options),
    cancel: async (id: string, request) => (await ofOne(id)).cancel(id, request),
  } satisfies FleetOperations)
}

/** The first one, where nobody has it. */
async function cellOf(cells: Cells, id: string, doorOf: (cell: string) => FleetOperations): Promise<string> {
  if (!cells.areMany) return MAIN_CELL
  const found = await cells.ask(({ name }) => doorOf(name).get(id))
  return found.find(({ answer }) => answer !== undefined)?.name ?? MAIN_CELL
}

async function listAll(
  cells: Cells,
  doorOf: (cell: string) => FleetOperations,
  options: OperationListOptions,
): Promise<readonly OperationRecord[]> {
  const lists = await cells.ask(({ name }) => doorOf(name).list(options))
  return lists
    .flatMap(({ answer }) => answer)
    .toSorted((one, other) => other.createdAt.getTime() - one.createdAt.getTime())
    .slice(0, options.limit ?? DEFAULT_LIMIT)
}
