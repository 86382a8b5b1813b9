import { MAIN_CELL } from "../store/cells.ts"
import type { OperationRecord } from "../store/tenant-operations.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { selectTenant, selectTenants, type TenantRecord } from "../store/tenants.ts"
import type { RepairOptions, TenantFinding } from "../tenants/reconcile.ts"
import { type FleetTenants, openTenants, type TenantListOptions } from "../tenants/tenants-door.ts"
import type { RequestedBy } from "../tenants/act-entry.ts"
import type { ProvisionOptions } from "../tenants/provision.ts"
import { atHome } from "./at-home.ts"
import type { Cells } from "./cells.ts"

/** The tenants of a fleet, whichever database they are in. */
export function openTenantsByCell(running: () => Cells): FleetTenants {
  const doorOf = (cell: string): FleetTenants => openTenants(() => running().get(cell).tenantsDeps)
  const home = <Result>(slug: string, run: (door: FleetTenants) => Promise<Result>): Promise<Result> =>
    atHome(running(), slug, (cell) => run(doorOf(cell)))
  const made = <Result>(
    slug: string,
    { cell = MAIN_CELL, ...options }: ProvisionOptions,
    run: (door: FleetTenants, cell: string) => Promise<Result>,
  ): Promise<Result> => makeAt(running(), slug, cell, options, (at) => run(doorOf(at), at))
  return Object.freeze({
    provision: (slug: string, options: ProvisionOptions = {}) =>
      made(slug, options, async (door, cell) => shown(await door.provision(slug, withoutCell(options)), cell)),
    requestProvision: (slug: string, options: ProvisionOptions & RequestedBy = {}): Promise<OperationRecord> =>
      made(slug, options, (door) => door.requestProvision(slug, withoutCell(options))),
    list: (options?: TenantListOptions) => listOf(running(), doorOf, options),
    get: (slug: string) => getOne(running(), slug),
    suspend: (slug, request) => home(slug, (door) => door.suspend(slug, request)),
    resume: (slug, request) => home(slug, (door) => door.resume(slug, request)),
    setClass: (slug, tenantClass, request) => home(slug, (door) => door.setClass(slug, tenantClass, request)),
    delete: (slug, options) => home(slug, (door) => door.delete(slug, options)),
    undelete: (slug, request) => home(slug, (door) => door.undelete(slug, request)),
    move: (slug, options) => home(slug, (door) => door.move(slug, options)),
    export: (slug, options) => home(slug, (door) => door.export(slug, options)),
    import: (slug, options) => home(slug, (door) => door.import(slug, options)),
    check: () => checkAll(running(), doorOf),
    repair: (id: string, options: RepairOptions = {}) => repairOne(running(), doorOf, id, options),
  } satisfies FleetTenants)
}

/** Where a tenant is to be made stands in the directory before it is made. */
async function makeAt<Result>(
  cells: Cells,
  slug: string,
  cell: string,
  options: ProvisionOptions,
  run: (cell: string) => Promise<Result>,
): Promise<Result> {
  // A name that is none is told before anything is noted.
  cells.get(cell)
  if (!cells.areMany) return run(MAIN_CELL)
  await cells.directory.claim(slug, cell, options)
  return atHome(cells, slug, run)
}

function withoutCell<Options extends ProvisionOptions>({ cell: _, ...options }: Options): Omit<Options, "cell"> {
  return options
}

/** As callers see it: by the name of the further database that has its rows. */
function shown(record: TenantRecord, cell: string): TenantRecord {
  return cell === MAIN_CELL ? record : { ...record, cell }
}

/** The directory says who is in the list, and each database what its own are like. */
async function listOf(
  cells: Cells,
  doorOf: (cell: string) => FleetTenants,
  options: TenantListOptions = {},
): Promise<readonly TenantRecord[]> {
  const page = await doorOf(MAIN_CELL).list(options)
  if (page.every(({ cell }) => cell === null)) return page
  const { after } = options
  const lists = await cells.ask(async ({ name, parts }) =>
    name === MAIN_CELL ? [] : selectTenants(parts.database, { after }),
  )
  const answered = new Set(lists.map(({ name }) => name))
  const bySlug = new Map(page.map((record) => [record.slug, noted(record, answered)]))
  for (const { name, answer } of lists)
    for (const record of answer)
      if (bySlug.get(record.slug)?.cell === name && record.status !== "elsewhere")
        bySlug.set(record.slug, shown(record, name))
  return [...bySlug.values()]
}

async function getOne(cells: Cells, slug: string): Promise<TenantRecord | undefined> {
  const { slug: tenant } = tenantScope(slug)
  const record = await selectTenant(cells.main.database, tenant)
  if (!record || record.cell === null) return record
  const there = await selectTenant(cells.get(record.cell).database, tenant)
  return there && there.status !== "elsewhere" ? shown(there, record.cell) : noted(record, new Set([record.cell]))
}

/** What the directory says of a tenant that its own database says nothing of: it is being made there, or that is away. */
function noted(record: TenantRecord, answered: ReadonlySet<string>): TenantRecord {
  return record.cell !== null && answered.has(record.cell) ? { ...record, status: "provisioning" } : record
}

/** Findings of a further database begin with its name. */
const BEHIND_NAME = "/"

async function checkAll(cells: Cells, doorOf: (cell: string) => FleetTenants): Promise<readonly TenantFinding[]> {
  const found = await Promise.all(
    cells.all().map(async ({ name }) => {
      const findings = await doorOf(name).check()
      return name === MAIN_CELL ? findings : findings.map((finding) => named(finding, name))
    }),
  )
  return [...found.flat(), ...(await notMade(cells, doorOf))]
}

function named(finding: TenantFinding, cell: string): TenantFinding {
  const { id, message } = finding
  return { ...finding, id: `${cell}${BEHIND_NAME}${id}`, message: `in cell ${cell}: ${message}` }
}

/** Tenants that are to be made in a further database, and are not there. */
async function notMade(cells: Cells, doorOf: (cell: string) => FleetTenants): Promise<readonly TenantFinding[]> {
  if (!cells.areMany) return []
  const all = await listOf(cells, doorOf)
  const bare = await Promise.all(
    all
      .filter(({ cell, status }) => cell !== null && status === "provisioning")
      .map(async ({ slug, cell }) => {
        const there = await selectTenant(cells.get(cell ?? MAIN_CELL).database, slug)
        return there ? [] : [halfProvisioned(slug, cell ?? MAIN_CELL)]
      }),
  )
  return bare.flat()
}

function halfProvisioned(slug: string, cell: string): TenantFinding {
  return {
    id: `${cell}${BEHIND_NAME}half_provisioned:${slug}`,
    problem: "half_provisioned",
    message: `tenant ${slug} is to be in cell ${cell}, and is not there`,
    repair: { kind: "provision", tenant: slug },
    proposal: `complete it, as fleetprompt tenants provision ${slug} does`,
    destroys: false,
  }
}

async function repairOne(
  cells: Cells,
  doorOf: (cell: string) => FleetTenants,
  id: string,
  options: RepairOptions,
): Promise<TenantFinding> {
  const bare = (await notMade(cells, doorOf)).find((finding) => finding.id === id)
  if (bare?.repair.kind === "provision") {
    const { tenant } = bare.repair
    await atHome(cells, tenant, (cell) => doorOf(cell).provision(tenant))
    return bare
  }
  const cell = cells.names.find((name) => name !== MAIN_CELL && id.startsWith(`${name}${BEHIND_NAME}`))
  if (cell === undefined) return doorOf(MAIN_CELL).repair(id, options)
  return named(await doorOf(cell).repair(id.slice(cell.length + BEHIND_NAME.length), options), cell)
}
