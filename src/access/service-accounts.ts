import { appendAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import { isUuid, newId } from "../signal/id.ts"
import { revokeApiKeysOf } from "../store/api-keys.ts"
import type { Transaction } from "../store/database.ts"
import {
  deleteServiceAccount,
  insertServiceAccount,
  lockServiceAccount,
  selectServiceAccounts,
  type ServiceAccountChange,
  type ServiceAccountRecord,
  updateServiceAccount,
} from "../store/service-accounts.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { type Acting, type ActingOptions, system } from "./acting.ts"
import { checkName, checkRole } from "./api-key-options.ts"
import type { ApiKeysDeps } from "./api-keys.ts"

/** What a service account is to be. */
export interface ServiceAccountOptions {
  /** One of its own in the tenant, up to 100 characters. */
  readonly name: string
  /** The most that its keys may. */
  readonly role: "owner" | "admin" | "member"
}

/** One tenant's service accounts: callers that are no people, with API keys of their own. Each change is audited. */
export interface TenantServiceAccounts {
  /**
   * @throws FleetPromptError `forbidden`, `api_key_invalid`, `service_account_exists`, `tenant_unknown`
   * @example
   * const account = await fleet.tenant("acme").serviceAccounts.create({ name: "importer", role: "member" })
   */
  readonly create: (options: ServiceAccountOptions, acting?: ActingOptions) => Promise<ServiceAccountRecord>
  /** All, by name. */
  readonly list: () => Promise<readonly ServiceAccountRecord[]>
  /** One, or undefined. */
  readonly get: (id: string) => Promise<ServiceAccountRecord | undefined>
  /**
   * Changes name or role, or disables and enables the account: the keys of one that is disabled work in no process
   * within 2 seconds.
   *
   * @throws FleetPromptError `forbidden`, `api_key_invalid`, `service_account_unknown`,
   * `service_account_exists`
   */
  readonly update: (id: string, change: ServiceAccountChange, acting?: ActingOptions) => Promise<ServiceAccountRecord>
  /**
   * Removes an account and revokes its keys.
   *
   * @throws FleetPromptError `forbidden`, `service_account_unknown`
   */
  readonly remove: (id: string, acting?: ActingOptions) => Promise<void>
}

/** What accounts are kept with. */
export type ServiceAccountsDeps = Pick<ApiKeysDeps, "database" | "placements" | "announcer">

/** Accounts of a tenant, at most. */
const MAX_ACCOUNTS = 500
const UNIQUE_VIOLATION = "23505"

/** The service accounts of one tenant. */
export function openServiceAccounts(slug: string, deps: () => ServiceAccountsDeps): TenantServiceAccounts {
  const within = async <Result>(run: (tx: Transaction, scope: TenantScope) => Promise<Result>): Promise<Result> => {
    const { database, placements } = deps()
    const { scope } = await placements.findToRead(slug)
    return withinTenant(database, scope, (tx) => run(tx, scope))
  }
  return Object.freeze({
    create: (options: ServiceAccountOptions, { by = system }: ActingOptions = {}) =>
      within((tx, scope) => create(tx, scope, options, by)),
    list: () => within(selectServiceAccounts),
    get: (id: string) => within(async (tx, scope) => (isUuid(id) ? lockServiceAccount(tx, scope, id) : undefined)),
    update: async (id: string, change: ServiceAccountChange, { by = system }: ActingOptions = {}) => {
      const updated = await within((tx, scope) => update(tx, scope, id, change, by))
      deps().announcer.changed({ access: true })
      return updated
    },
    remove: async (id: string, { by = system }: ActingOptions = {}) => {
      await within((tx, scope) => remove(tx, scope, id, by))
      deps().announcer.changed({ access: true })
    },
  })
}

async function create(
  tx: Transaction,
  scope: TenantScope,
  { name, role }: ServiceAccountOptions,
  { actor, authorise }: Acting,
): Promise<ServiceAccountRecord> {
  checkName(name)
  checkRole(role)
  authorise("service_accounts:create", { role })
  const createdBy = `${actor.kind}:${actor.id}`
  const account = await insertServiceAccount(tx, scope, { id: newId(), name, role, createdBy }, MAX_ACCOUNTS)
  if (!account) throw exists(name)
  const details = { name, role }
  await appendAudit(tx, scope, [{ action: "service_account.create", resource: resourceOf(account.id), actor, details }])
  return account
}

async function update(
  tx: Transaction,
  scope: TenantScope,
  id: string,
  { name, role, enabled }: ServiceAccountChange,
  by: Acting,
): Promise<ServiceAccountRecord> {
  if (name !== undefined) checkName(name)
  if (role !== undefined) checkRole(role)
  if (enabled !== undefined) checkFlag(enabled)
  const { actor } = by
  const account = await lockedAccount(tx, scope, id)
  by.authorise("service_accounts:change", { id, role: account.role })
  if (role !== undefined) by.authorise("service_accounts:change", { id, role })
  const details = {
    ...(name !== undefined && { name }),
    ...(role && { role }),
    ...(enabled !== undefined && { enabled }),
  }
  const changed = await updateServiceAccount(tx, scope, id, details).catch((error: unknown) => {
    throw isTaken(error) ? exists(name ?? "") : error
  })
  await appendAudit(tx, scope, [{ action: "service_account.change", resource: resourceOf(id), actor, details }])
  return changed
}

/** Whoever makes a key for the account at the same time waits for the lock. */
async function lockedAccount(tx: Transaction, scope: TenantScope, id: string): Promise<ServiceAccountRecord> {
  const account = isUuid(id) ? await lockServiceAccount(tx, scope, id) : undefined
  if (account) return account
  throw new FleetPromptError(
    "service_account_unknown",
    "expected the id of a service account of this tenant, there is none; list the accounts",
  )
}

async function remove(tx: Transaction, scope: TenantScope, id: string, { actor, authorise }: Acting): Promise<void> {
  const account = await lockedAccount(tx, scope, id)
  authorise("service_accounts:remove", { id, role: account.role })
  const revoked = await revokeApiKeysOf(tx, scope, { kind: "service_account", id })
  await deleteServiceAccount(tx, scope, id)
  const details = { name: account.name, revoked: [...revoked] }
  await appendAudit(tx, scope, [{ action: "service_account.remove", resource: resourceOf(id), actor, details }])
}

function checkFlag(enabled: boolean): void {
  if (typeof enabled === "boolean") return
  throw new FleetPromptError("api_key_invalid", "expected true or false as enabled, got something else", {
    path: "enabled",
  })
}

function resourceOf(id: string): string {
  return `service_account:${id}`
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === UNIQUE_VIOLATION
}

function exists(name: string): FleetPromptError {
  return new FleetPromptError(
    "service_account_exists",
    `expected a name that no service account has, and fewer than ${MAX_ACCOUNTS} accounts; "${name}" cannot be made: choose another name, or remove accounts`,
  )
}
