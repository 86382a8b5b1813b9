import { type Command, InvalidArgumentError } from "commander"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import type { OperationRecord } from "../store/tenant-operations.ts"
import type { Placement } from "../store/tenant-scope.ts"
import type { TenantClass } from "../store/tenants.ts"
import type { RequestedBy } from "../tenants/act-entry.ts"
import type { CommandContext } from "./command-context.ts"
import { progressBar } from "./progress-bar.ts"
import { findingText, operationLine, operationTable, tenantTable } from "./tenant-tables.ts"
import { withFleet } from "./with-fleet.ts"

interface CommonOptions {
  readonly dataDirectory: string
  readonly json: boolean
  readonly reason?: string
  readonly wait?: boolean
}

interface PlacedOptions extends CommonOptions {
  readonly placement?: Placement
  readonly class?: TenantClass
  readonly cell?: string
}

const FAILED = 1
const DATA_DIRECTORY = ".fleetprompt/data"
const DAY_MS = 86_400_000
const SECOND_MS = 1_000

/** Adds `fleetprompt tenants …`. */
export function addTenantCommands(program: Command, contextOf: () => CommandContext): void {
  const tenants = program
    .command("tenants")
    .description("Tenants as a whole: make, suspend, export, import, move, delete, check.")
  const builders = buildersOf(tenants, contextOf)
  addLifeCommands(builders)
  addRowCommands(builders)
  addCheckCommands(builders)
}

/** How commands are added, by what they have in common. */
interface Builders {
  readonly contextOf: () => CommandContext
  readonly add: (name: string, description: string) => Command
  /** Something that changes a tenant. */
  readonly addChange: (name: string, description: string) => Command
  /** Something that takes a while. */
  readonly addOperation: (name: string, description: string) => Command
}

function buildersOf(tenants: Command, contextOf: () => CommandContext): Builders {
  const add = (name: string, description: string): Command =>
    tenants
      .command(name)
      .description(description)
      .option("--data-directory <path>", "files of the embedded database (not used with DATABASE_URL)", DATA_DIRECTORY)
      .option("--json", "print JSON", false)
  const addChange = (name: string, description: string): Command =>
    add(name, description).option("--reason <text>", "why, for people and the audit log")
  const addOperation = (name: string, description: string): Command =>
    addChange(name, description).option("--no-wait", "do not wait for the end; a worker has to be running")
  return { contextOf, add, addChange, addOperation }
}

function addLifeCommands({ contextOf, add, addChange, addOperation }: Builders): void {
  add("list", "Print all tenants.").action((options: CommonOptions) => run(options, contextOf(), list))
  add("provision <slug>", "Make a tenant, or complete one.")
    .option("--placement <placement>", "own: a schema of its own; shared", placement, "own")
    .option("--class <class>", "standard, premium or enterprise", "standard")
    .option("--cell <name>", "the database that it is to be in (FLEETPROMPT_DATABASES); the first is main")
    .action((slug: string, options: PlacedOptions) =>
      run(options, contextOf(), (work) => provision(slug, options, work)),
    )
  addChange("class <slug> <class>", "Give a tenant another class.").action(
    (slug: string, tenantClass: TenantClass, options: CommonOptions) =>
      run(options, contextOf(), async ({ fleet, show }) =>
        show(await fleet.tenants.setClass(slug, tenantClass, requestOf(options)), `${slug} is ${tenantClass}`),
      ),
  )
  addOperation("suspend <slug>", "Let nothing in and begin nothing, until it is resumed.").action(
    (slug: string, options: CommonOptions) =>
      operate(options, contextOf(), ({ tenants: door }) => door.suspend(slug, requestOf(options))),
  )
  addOperation("resume <slug>", "Let a suspended tenant work on.").action((slug: string, options: CommonOptions) =>
    operate(options, contextOf(), ({ tenants: door }) => door.resume(slug, requestOf(options))),
  )
  addChange("delete <slug>", "Stop a tenant now and remove it for good later.")
    .option("--delay <days>", "how long it can be undone", wholeNumber, 30)
    .action((slug: string, options: CommonOptions & { readonly delay: number }) =>
      operate({ ...options, wait: options.delay === 0 }, contextOf(), ({ tenants: door }) =>
        door.delete(slug, { delayMs: options.delay * DAY_MS, ...requestOf(options) }),
      ),
    )
  addChange("undelete <slug>", "Take a deletion back that has not begun.").action(
    (slug: string, options: CommonOptions) =>
      run(options, contextOf(), async ({ fleet, show }) =>
        show(await fleet.tenants.undelete(slug, requestOf(options)), `${slug} stays`),
      ),
  )
}

function addRowCommands({ contextOf, addOperation }: Builders): void {
  addOperation("export <slug>", "Write all that a tenant has into a file, without secrets.")
    .requiredOption("--file <path>", "where to; it is replaced when the archive is complete")
    .action((slug: string, options: CommonOptions & { readonly file: string }) =>
      operate({ ...options, wait: true }, contextOf(), ({ tenants: door }) =>
        door.export(slug, { file: options.file, ...requestOf(options) }),
      ),
    )
  addOperation("import <slug>", "Read an archive into a tenant that is new or empty.")
    .requiredOption("--file <path>", "the archive; it is checked before anything is made")
    .option("--placement <placement>", "own: a schema of its own; shared", placement, "own")
    .option("--class <class>", "standard, premium or enterprise", "standard")
    .option("--deliveries", "also do what was to be done when it was written", false)
    .action((slug: string, options: PlacedOptions & { readonly file: string; readonly deliveries: boolean }) =>
      operate({ ...options, wait: true }, contextOf(), ({ tenants: door }) =>
        door.import(slug, {
          file: options.file,
          deliveries: options.deliveries,
          ...placedOptions(options),
          ...requestOf(options),
        }),
      ),
    )
  addOperation("move <slug>", "Move a tenant's rows to another placement, or to another database.")
    .option("--to <placement>", "own: a schema of its own; shared; with --cell the default is as it is", placement)
    .option("--cell <name>", "the database that it is to come to (FLEETPROMPT_DATABASES); the first is main")
    .option("--drain <seconds>", "how long what runs may go on", wholeNumber, 60)
    .option("--keep <days>", "how long the rows are kept at the old place", wholeNumber, 7)
    .action(
      (
        slug: string,
        options: CommonOptions & {
          readonly to?: Placement
          readonly cell?: string
          readonly drain: number
          readonly keep: number
        },
      ) =>
        operate(options, contextOf(), ({ tenants: door }) =>
          door.move(slug, {
            ...(options.to && { placement: options.to }),
            ...(options.cell !== undefined && { cell: options.cell }),
            drainMs: options.drain * SECOND_MS,
            keepMs: options.keep * DAY_MS,
            ...requestOf(options),
          }),
        ),
    )
}

function addCheckCommands({ contextOf, add, addChange }: Builders): void {
  add("operations", "Print what is and was done to tenants, the newest first.")
    .option("--tenant <slug>", "only this one's")
    .option("--open", "only those that have not ended", false)
    .option("--cancel <id>", "ask for the end of one; what was begun is taken back")
    .action((options: CommonOptions & { readonly tenant?: string; readonly open: boolean; readonly cancel?: string }) =>
      run(options, contextOf(), (work) => operations(options, work)),
    )
  add("check", "Compare what is known of the tenants with what is there; exit code 1 when something is wrong.").action(
    (options: CommonOptions) => run(options, contextOf(), check),
  )
  addChange("repair [ids...]", "Do what check proposes: for these findings, or for all where nothing can be lost.")
    .option("--destroy", "also when something is removed for good; the findings must be named", false)
    .action((ids: readonly string[], options: CommonOptions & { readonly destroy: boolean }) =>
      run(options, contextOf(), (work) => repair(ids, options, work)),
    )
}

/** What a command works with. */
interface Work {
  readonly fleet: Fleet
  readonly context: CommandContext
  /** Prints a value as JSON, or the text. */
  readonly show: (value: unknown, text: string) => void
}

/** Opens a fleet that runs no handlers, and does one thing. */
async function run(
  { dataDirectory, json }: CommonOptions,
  context: CommandContext,
  work: (work: Work) => Promise<void>,
): Promise<void> {
  await withFleet({ dataDirectory }, context, (fleet) =>
    work({ fleet, context, show: (value, text) => context.output(json ? JSON.stringify(value) : text) }),
  )
}

/** Asks for an operation and shows how far it gets. Ctrl-C leaves it to the workers. */
function operate(
  options: CommonOptions,
  context: CommandContext,
  request: (fleet: Fleet) => Promise<OperationRecord>,
): Promise<void> {
  return run(options, context, async ({ fleet, show }) => {
    const operation = await request(fleet)
    if (options.wait === false || operation.status === "waiting") return show(operation, operationLine(operation))
    const ended = await watch(fleet, operation.id, context)
    if (ended.status !== "completed") process.exitCode = FAILED
    show(ended, operationLine(ended))
  })
}

async function watch(fleet: Fleet, id: string, { terminal, stop }: CommandContext): Promise<OperationRecord> {
  const began = performance.now()
  let last: OperationRecord | undefined
  try {
    for await (const operation of fleet.operations.watch(id, { signal: stop })) {
      last = operation
      const { step, progress } = operation
      const bar = progress.total > 0 ? progressBar({ ...progress, elapsedMs: performance.now() - began }) : ""
      terminal.progress(`${operation.kind} ${operation.tenant}: ${step} ${bar}`)
    }
  } catch (error) {
    if (!stop.aborted || !last) throw error
    terminal.line(`stopped; a worker goes on with it: fleetprompt tenants operations --tenant ${last.tenant}`)
  }
  if (last) return last
  throw new FleetPromptError("operation_unknown", "expected an operation that was just asked for, it is not there")
}

async function list({ fleet, show }: Work): Promise<void> {
  const all = await fleet.tenants.list()
  show(all, tenantTable(all))
}

async function provision(slug: string, options: PlacedOptions, { fleet, show }: Work): Promise<void> {
  const tenant = await fleet.tenants.provision(slug, placedOptions(options))
  const where = tenant.cell === null ? "" : ` in ${tenant.cell}`
  show(tenant, `${slug} is ${tenant.status}, with ${tenant.placement} tables${where}, ${tenant.class}`)
}

async function operations(
  { tenant, open, cancel }: { readonly tenant?: string; readonly open: boolean; readonly cancel?: string },
  { fleet, show }: Work,
): Promise<void> {
  if (cancel !== undefined) {
    await fleet.operations.cancel(cancel, requestOf({}))
    const ended = await fleet.operations.wait(cancel)
    return show(ended, operationLine(ended))
  }
  const all = await fleet.operations.list({ open, ...(tenant !== undefined && { tenant }) })
  show(all, operationTable(all))
}

async function check({ fleet, show }: Work): Promise<void> {
  const findings = await fleet.tenants.check()
  if (findings.length > 0) process.exitCode = FAILED
  show(findings, findings.length === 0 ? "all tenants are as they should be" : findings.map(findingText).join("\n"))
}

async function repair(
  ids: readonly string[],
  options: CommonOptions & { readonly destroy: boolean },
  { fleet, show }: Work,
): Promise<void> {
  if (options.destroy && ids.length === 0)
    throw new FleetPromptError(
      "config_invalid",
      "expected the ids of what is to be destroyed, got none; see tenants check",
    )
  const safe = (await fleet.tenants.check()).filter(
    ({ destroys, repair: { kind } }) => !destroys && kind !== "decide" && kind !== "migrate",
  )
  const chosen = ids.length > 0 ? ids : safe.map(({ id }) => id)
  const mended = []
  for (const id of chosen)
    mended.push(await fleet.tenants.repair(id, { destroy: options.destroy, ...requestOf(options) }))
  show(
    mended,
    mended.length === 0 ? "there is nothing that can be mended so" : mended.map(({ id }) => `mended ${id}`).join("\n"),
  )
}

function requestOf({ reason }: Pick<CommonOptions, "reason">): RequestedBy {
  return { by: { kind: "operator", id: "command line" }, ...(reason !== undefined && { reason }) }
}

function placedOptions({ placement: place, class: tenantClass, cell }: PlacedOptions) {
  return {
    ...(place && { placement: place }),
    ...(tenantClass && { class: tenantClass }),
    ...(cell !== undefined && { cell }),
  }
}

function placement(text: string): Placement {
  if (text === "own" || text === "shared") return text
  throw new InvalidArgumentError("expected own or shared.")
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("expected a whole number.")
  return value
}
