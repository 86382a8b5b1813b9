import { type Command, InvalidArgumentError } from "commander"
import { type Acting, actingFor } from "../access/acting.ts"
import type { ApiKeyRecord } from "../store/api-keys.ts"
import type { NewKey } from "../access/api-keys.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import type { Tenant } from "../tenants/tenant.ts"
import type { CommandContext } from "./command-context.ts"
import { whoRuns, withFleet } from "./with-fleet.ts"
import { columns } from "./migration-tables.ts"

/** Options of every command for API keys. */
export interface ApiKeyCommandOptions {
  readonly tenant: string
  readonly dataDirectory: string
  /** Who does it, for the audit log. Default: who runs the command. */
  readonly by?: string
  readonly json: boolean
}

/** Options of `keys create`. */
export interface CreateKeyOptions extends ApiKeyCommandOptions {
  readonly name: string
  /** Name of the service account whose key it is; made when there is none. */
  readonly account: string
  readonly role: "owner" | "admin" | "member"
  readonly scope?: readonly string[]
  /** How long it works, days; 0: until it is revoked. */
  readonly days: number
}

/** Options of `keys renew`. */
export interface RenewKeyOptions extends ApiKeyCommandOptions {
  /** How long both keys work, hours. */
  readonly overlap: number
}

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MAX_LISTED = 500
const DATA_DIRECTORY = ".fleetprompt/data"

/** Adds the commands for API keys to `fleetprompt keys`. */
export function addApiKeyCommands(keys: Command, contextOf: () => CommandContext): void {
  const add = (name: string, description: string): Command =>
    keys
      .command(name)
      .description(description)
      .requiredOption("--tenant <slug>", "the tenant in whose name the key calls")
      .option("--by <name>", "who does it, for the audit log; default: who runs the command")
      .option("--data-directory <path>", "files of the embedded database (not used with DATABASE_URL)", DATA_DIRECTORY)
      .option("--json", "print one JSON object", false)
  add("create", "Make an API key of a service account, and print it once.")
    .requiredOption("--account <name>", "the service account whose key it is; it is made when there is none")
    .option("--name <name>", "what the key is for", "command line")
    .option("--role <role>", "owner, admin or member", "member")
    .option("--scope <scopes...>", "what it is limited to, such as signals:read or signals:*; default: the role alone")
    .option("--days <number>", "how long it works; 0: until it is revoked", wholeNumber, 90)
    .addHelpText("after", "\nThe key is printed to stdout alone, so that it can be piped to where it is kept.")
    .action((options: CreateKeyOptions) => createApiKey(options, contextOf()))
  add("list", "Print a tenant's API keys.").action((options: ApiKeyCommandOptions) => listApiKeys(options, contextOf()))
  add("renew <id>", "Make a key that takes the place of another; both work for a while.")
    .option("--overlap <hours>", "how long both work; 0: the old one ends at once", wholeNumber, 24)
    .action((id: string, options: RenewKeyOptions) => renewApiKey(id, options, contextOf()))
  add("revoke <id>", "End an API key: within 2 seconds it works nowhere.").action(
    (id: string, options: ApiKeyCommandOptions) => revokeApiKey(id, options, contextOf()),
  )
}

/** Makes a key of a service account and prints it. */
export async function createApiKey(options: CreateKeyOptions, context: CommandContext): Promise<void> {
  await withFleet(options, context, async (fleet) => {
    const { by, tenant } = actIn(fleet, options)
    const { name, role, scope, days } = options
    const made = await tenant.apiKeys.create(
      {
        name,
        role,
        owner: { kind: "service_account", id: await accountOf(tenant, options, by) },
        lifetimeMs: days === 0 ? null : days * DAY_MS,
        ...(scope && { scopes: scope }),
      },
      { by },
    )
    print(made, options, context)
  })
}

/** Prints a tenant's keys, the latest first. */
export async function listApiKeys(options: ApiKeyCommandOptions, context: CommandContext): Promise<void> {
  await withFleet(options, context, async (fleet) => {
    const keys = await fleet.tenant(options.tenant).apiKeys.list({ limit: MAX_LISTED })
    context.output(options.json ? JSON.stringify({ keys }) : tableOf(keys))
  })
}

/** Makes a key that takes the place of another and prints it. */
export async function renewApiKey(id: string, options: RenewKeyOptions, context: CommandContext): Promise<void> {
  await withFleet(options, context, async (fleet) => {
    const { by, tenant } = actIn(fleet, options)
    print(await tenant.apiKeys.rotate(id, { overlapMs: options.overlap * HOUR_MS, by }), options, context)
  })
}

/** Ends a key. */
export async function revokeApiKey(id: string, options: ApiKeyCommandOptions, context: CommandContext): Promise<void> {
  await withFleet(options, context, async (fleet) => {
    const { by, tenant } = actIn(fleet, options)
    const revoked = await tenant.apiKeys.revoke(id, { by })
    context.output(
      options.json ? JSON.stringify({ id, revoked }) : revoked ? `revoked ${id}` : `${id} had ended before`,
    )
  })
}

function actIn(fleet: Fleet, { tenant, by }: ApiKeyCommandOptions): { readonly by: Acting; readonly tenant: Tenant } {
  return { by: actingFor(whoRuns(by)), tenant: fleet.tenant(tenant) }
}

/** An account that is there keeps its role. */
async function accountOf(tenant: Tenant, { account: name, role }: CreateKeyOptions, by: Acting): Promise<string> {
  const known = (await tenant.serviceAccounts.list()).find((account) => account.name === name)
  if (known && !known.enabled)
    throw new FleetPromptError(
      "service_account_unknown",
      `expected a service account that is enabled, "${name}" is not; enable it, or name another`,
    )
  return (known ?? (await tenant.serviceAccounts.create({ name, role }, { by }))).id
}

/** The key alone goes to stdout, unless everything is asked for. */
function print({ key, record }: NewKey, { json }: ApiKeyCommandOptions, { output, terminal }: CommandContext): void {
  output(json ? JSON.stringify({ key, record }) : key)
  const until = record.expiresAt === null ? "until it is revoked" : `until ${record.expiresAt.toISOString()}`
  terminal.line(`· key ${record.id} works ${until}; it is shown this once and kept nowhere`)
}

function tableOf(keys: readonly ApiKeyRecord[]): string {
  if (keys.length === 0) return "no API keys"
  const rows = keys.map((key) => [
    key.id,
    key.name,
    key.status,
    key.role,
    key.scopes?.join(" ") ?? "*",
    `${key.owner.kind}:${key.owner.id}`,
    timeOf(key.expiresAt),
    timeOf(key.lastUsedAt),
  ])
  return columns([["id", "name", "status", "role", "scopes", "owner", "expires", "last used"], ...rows])
}

function timeOf(time: Date | null): string {
  return time === null ? "never" : `${time.toISOString().slice(0, 16)}Z`
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("expected a whole number.")
  return value
}
