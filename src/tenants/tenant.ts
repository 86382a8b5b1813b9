import { openInvitations, type TenantInvitations } from "../access/invitations.ts"
import { type ApiKeysDeps, openApiKeys, type TenantApiKeys } from "../access/api-keys.ts"
import { openServiceAccounts, type TenantServiceAccounts } from "../access/service-accounts.ts"
import { openMembers, type TenantMembers } from "../access/members.ts"
import { openOrganisation, type TenantOrganisation } from "../access/organisations.ts"
import { scopeOfTenant } from "../access/tenant-scopes.ts"
import type { Credentials } from "../credentials/credentials.ts"
import { openTenantCredentials, type TenantCredentials } from "../credentials/tenant-credentials.ts"
import { type AuditLog, type AuditLogDeps, openAuditLog } from "../audit/audit-door.ts"
import type { DirectivesDeps } from "../directives/directives-deps.ts"
import type { TenantDirectives } from "../directives/directives-door.ts"
import { openTenantDirectives } from "../directives/open-directives.ts"
import type { InstallationParts } from "../packages/installations/installations-deps.ts"
import { openTenantPackages } from "../packages/installations/open-tenant-packages.ts"
import type { TenantPackages } from "../packages/installations/tenant-packages.ts"
import { emit, type EmitDeps, type EmitItem, emitMany, type EmitOptions, type EmitResult } from "../emit/emit.ts"
import { type ListOptions, listSignals, readSignals, type SignalPage, type SignalView } from "../inspect/signal-list.ts"
import { listOpenDeliveries, type OpenDeliveryListOptions, type OpenDeliveryPage } from "../inspect/open-deliveries.ts"
import { readSignal, type SignalDetail } from "../inspect/signal-detail.ts"
import { tail, type TailedSignal, type TailOptions } from "../inspect/tail.ts"
import type { TypedSignal } from "../signal/define-signal.ts"
import type { JsonValue } from "../signal/json.ts"
import type { Visibility } from "../signal/stored-signal.ts"
import { countOpenDeliveries } from "../store/deliveries.ts"
import { selectCounts, selectDeepestChain, type TenantCounts } from "../store/inspect.ts"
import type { Transaction } from "../store/database.ts"
import type { JoinableTransaction } from "../store/joined-transaction.ts"
import { type TenantScope, tenantScope } from "../store/tenant-scope.ts"
import { tenantDatabase, withinTenant } from "../store/within-tenant.ts"
import { openDeadLetters, type TenantDeadLetters } from "./dead-letters.ts"
import { openTenantPauses, type TenantPauses } from "./pauses.ts"
import { openReplays, type TenantReplays } from "./replays.ts"

/** Stores a signal of a type, or of a typed signal whose schema checks the data. */
export interface Emit {
  <Data = JsonValue>(type: string, data: Data, options?: EmitOptions): Promise<EmitResult<Data>>
  <Input, Data>(signal: TypedSignal<Input, Data>, data: Input, options?: EmitOptions): Promise<EmitResult<Data>>
}

/** Everything that can be done for one tenant. It reaches no other. */
export interface Tenant {
  readonly slug: string
  /**
   * Stores a signal with its deliveries in one transaction, and returns it. A fact that the tenant has
   * already, by `dedupeKey` or by `source` and `sourceEventId`, is returned with `inserted: false`.
   *
   * @throws FleetPromptError `signal_invalid`, `data_invalid`, `data_not_json`, `data_too_deep`, `data_too_large`,
   * `secret_refused`, `idempotency_conflict`, `emit_queue_full`, `tenant_unknown`, `transaction_unsupported`,
   * `fleet_stopped`
   * @example
   * const { signal, inserted } = await fleet.tenant("acme").emit("lead.received", { leadId: "123" }, { dedupeKey: "zillow:123" })
   */
  readonly emit: Emit
  /**
   * Stores up to 1,000 signals in one commit, all or none; results are in the order of the items.
   *
   * @throws FleetPromptError `batch_too_large`, and what `emit` throws; `path` begins with the item's place
   * @example
   * await fleet.tenant("acme").emitMany([{ type: "lead.received", data: { leadId: "1" } }, { type: "lead.received", data: { leadId: "2" } }])
   */
  readonly emitMany: (
    items: readonly EmitItem[],
    options?: { readonly tx?: JoinableTransaction },
  ) => Promise<readonly EmitResult[]>
  readonly signals: TenantSignals
  /** Deliveries that are to be done. */
  readonly deliveries: TenantDeliveries
  /** Deliveries that were given up: to be looked at, redriven or discarded. */
  readonly deadLetters: TenantDeadLetters
  /** Signals to be run on again. */
  readonly replays: TenantReplays
  /** What of the tenant is not to be run for now. */
  readonly pauses: TenantPauses
  /** Keys with which programs call in the tenant's name. */
  readonly apiKeys: TenantApiKeys
  /** Callers of the tenant that are no people. */
  readonly serviceAccounts: TenantServiceAccounts
  /** The people of the tenant, and what they may. */
  readonly members: TenantMembers
  /** Asking people to join. */
  readonly invitations: TenantInvitations
  /** Whose the tenant is. */
  readonly organisation: TenantOrganisation
  /** What was ordered, by whom, and what came of it. */
  readonly directives: TenantDirectives
  /** The packages that the tenant has installed. */
  readonly packages: TenantPackages
  /** Secrets for systems outside, referred to by their ids. */
  readonly credentials: TenantCredentials
  /** Who did what in the tenant. */
  readonly audit: AuditLog
  /** How many signals and deliveries the tenant has. Counted by reading. */
  readonly counts: () => Promise<TenantCounts>
  /** How many of the tenant's deliveries are still to be done. */
  readonly openDeliveries: () => Promise<number>
  /** How many signals the tenant's longest causal chain has. */
  readonly deepestChain: () => Promise<number>
}

/** Reading a tenant's signals. */
export interface TenantSignals {
  /** Newest first, by pages. */
  readonly list: (options: ListOptions) => Promise<SignalPage>
  /** Some, by id. */
  readonly read: (ids: readonly string[], visibilities: readonly Visibility[]) => Promise<readonly SignalView[]>
  /**
   * All in the order of their commits, each once, and then those to come.
   *
   * @example
   * for await (const { signal, cursor } of tenant.signals.tail({ pattern: "lead.**", from: "now" })) {
   *   console.log(signal.type, cursor)
   * }
   */
  readonly tail: (options?: TailOptions) => AsyncIterableIterator<TailedSignal>
  /** One with its deliveries, causes and effects, or undefined. */
  readonly get: (id: string, visibilities: readonly Visibility[]) => Promise<SignalDetail | undefined>
}

/** Reading a tenant's queue. */
export interface TenantDeliveries {
  /** By the age of their signals, by pages. @throws FleetPromptError `query_invalid` */
  readonly list: (options: OpenDeliveryListOptions) => Promise<OpenDeliveryPage>
}

/** What a tenant's door works with. */
export interface TenantDeps extends EmitDeps {
  readonly credentials: Credentials
  /** Decides who may request and approve directives. */
  readonly access: DirectivesDeps["access"]
  readonly directives: DirectivesDeps["directives"]
  /** What packages are installed with. */
  readonly installations: InstallationParts
  /** The keys of audit logs. */
  readonly auditKeys: AuditLogDeps["keys"]
  /** Fetches audit entries that wait in the first database. */
  readonly gather?: NonNullable<AuditLogDeps["gather"]>
  /** Where audit logs are that are not in this database. */
  readonly logs?: NonNullable<AuditLogDeps["logs"]>
  /** What API keys are made with. */
  readonly apiKeys: ApiKeysDeps["apiKeys"]
  /** Hears commits until the returned function is called. */
  readonly onCommit: (listener: {
    readonly onCommit: (news: { readonly tenant: string }) => void
    readonly onGap: () => void
  }) => () => void
}

/** @throws FleetPromptError `tenant_invalid` */
export function openTenant(slug: string, deps: () => TenantDeps): Tenant {
  tenantScope(slug)
  const read = async <Result>(query: (tx: Transaction, scope: TenantScope) => Promise<Result>) => {
    const { placements, database } = deps()
    const { scope } = await placements.findToRead(slug)
    try {
      return await withinTenant(database, scope, (tx) => query(tx, scope))
    } catch (error) {
      // It may have been moved a moment ago: then it is somewhere else.
      placements.forget(slug)
      const { scope: now } = await placements.findToRead(slug)
      if (now.schema === scope.schema) throw error
      return withinTenant(database, now, (tx) => query(tx, now))
    }
  }
  const people = () => ({ database: deps().database, scopeOf: (of: string) => scopeOfTenant(of, deps()) })
  return Object.freeze({
    slug,
    emit: async (type: string | TypedSignal<unknown, unknown>, data: unknown, options: EmitOptions = {}) =>
      emitTyped(slug, type, data, options, deps()),
    emitMany: async (items: readonly EmitItem[], { tx }: { readonly tx?: JoinableTransaction } = {}) =>
      emitMany(slug, items, tx, deps()),
    signals: {
      list: (options: ListOptions) => read((db, scope) => listSignals(db, scope, options)),
      read: (ids: readonly string[], visibilities: readonly Visibility[]) =>
        read((db, scope) => readSignals(db, scope, ids, visibilities)),
      tail: (options: TailOptions = {}) => lazily(() => openTail(slug, options, deps())),
      get: (id: string, visibilities: readonly Visibility[]) =>
        read((db, scope) => readSignal(db, scope, id, visibilities)),
    },
    deliveries: {
      list: (options: OpenDeliveryListOptions) => read((db, scope) => listOpenDeliveries(db, scope, options)),
    },
    deadLetters: openDeadLetters(slug, deps),
    audit: openAuditLog(slug, () => ({ ...deps(), keys: deps().auditKeys })),
    replays: openReplays(slug, deps),
    pauses: openTenantPauses(slug, deps),
    directives: openTenantDirectives(slug, deps),
    packages: openTenantPackages(slug, () => ({ ...deps(), ...deps().installations })),
    credentials: openTenantCredentials(slug, () => deps().credentials),
    apiKeys: openApiKeys(slug, deps),
    serviceAccounts: openServiceAccounts(slug, deps),
    members: openMembers(slug, people),
    invitations: openInvitations(slug, people),
    organisation: openOrganisation(slug, people),
    counts: () => read(selectCounts),
    openDeliveries: () => read((db) => countOpenDeliveries(db, slug)),
    deepestChain: () => read(selectDeepestChain),
    // The overloads say what the one implementation cannot: which data belongs to which type.
  }) as Tenant
}

async function emitTyped(
  slug: string,
  type: string | TypedSignal<unknown, unknown>,
  data: unknown,
  options: EmitOptions,
  deps: EmitDeps,
): Promise<EmitResult> {
  if (typeof type === "string") return emit(slug, type, data, options, deps)
  const source = options.source ?? type.source
  return emit(slug, type.type, type.check(data), source === undefined ? options : { ...options, source }, deps)
}

async function openTail(
  slug: string,
  options: TailOptions,
  { database, placements, onCommit, telemetry }: TenantDeps,
): Promise<AsyncIterableIterator<TailedSignal>> {
  const { scope } = await placements.findToRead(slug)
  const place = async () => {
    const { scope: now, generation } = await placements.findToRead(slug)
    return { database: tenantDatabase(database, now), scope: now, generation }
  }
  const hear = (listener: () => void): (() => void) =>
    onCommit({ onCommit: ({ tenant }) => tenant === slug && listener(), onGap: listener })
  const onError = (error: unknown): void => {
    // It may have been moved a moment ago.
    placements.forget(slug)
    telemetry.tell("background.failed", { step: "poll", error })
  }
  return tail({ database: tenantDatabase(database, scope), onCommit: hear, onError, place }, scope, options)
}

/** An iterator that has to be waited for, as one that need not be. */
export function lazily<Item>(open: () => Promise<AsyncIterableIterator<Item>>): AsyncIterableIterator<Item> {
  let opened: Promise<AsyncIterableIterator<Item>> | undefined
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: async () => (await (opened ??= open())).next(),
    return: async () => {
      const iterator = await opened
      return (await iterator?.return?.()) ?? { done: true, value: undefined }
    },
  }
}
