import { emit, type EmitDeps, type EmitOptions, type EmitResult } from "../emit/emit.ts"
import { FleetPromptError } from "../errors.ts"
import { type ListOptions, listSignals, readSignals, type SignalPage, type SignalView } from "../inspect/signal-list.ts"
import { readSignal, type SignalDetail } from "../inspect/signal-detail.ts"
import type { JsonValue } from "../signal/json.ts"
import type { Visibility } from "../signal/stored-signal.ts"
import { countOpenDeliveries } from "../store/deliveries.ts"
import { selectCounts, selectDeepestChain, type TenantCounts } from "../store/inspect.ts"
import { selectTenant } from "../store/tenants.ts"
import { type TenantScope, tenantScope } from "../store/tenant-scope.ts"

/** Everything that can be done for one tenant. It reaches no other. */
export interface Tenant {
  readonly slug: string
  /**
   * Stores a signal with its deliveries in one transaction, and returns it. A fact that the tenant has
   * already, by `dedupeKey` or by `source` and `sourceEventId`, is returned with `inserted: false`.
   *
   * @throws FleetPromptError `signal_invalid`, `data_not_json`, `data_too_deep`, `data_too_large`,
   * `secret_refused`, `tenant_unknown`, `transaction_unsupported`, `fleet_stopped`
   * @example
   * const { signal, inserted } = await fleet.tenant("acme").emit("lead.received", { leadId: "123" }, { dedupeKey: "zillow:123" })
   */
  readonly emit: <Data = JsonValue>(type: string, data: Data, options?: EmitOptions) => Promise<EmitResult<Data>>
  readonly signals: TenantSignals
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
  /** One with its deliveries, causes and effects, or undefined. */
  readonly get: (id: string, visibilities: readonly Visibility[]) => Promise<SignalDetail | undefined>
}

/** @throws FleetPromptError `tenant_invalid` */
export function openTenant(slug: string, deps: () => EmitDeps): Tenant {
  const scope = tenantScope(slug)
  const read = <Result>(query: (db: EmitDeps["database"]) => Promise<Result>): Promise<Result> =>
    explain(scope, deps(), query(deps().database))
  return Object.freeze({
    slug,
    emit: async <Data>(type: string, data: Data, options: EmitOptions = {}) => {
      const result = await explain(scope, deps(), emit(scope, type, data, options, deps()))
      // Data was stored as it was given, or is what an earlier emit of the same fact gave.
      return result as EmitResult<Data>
    },
    signals: {
      list: (options: ListOptions) => read((db) => listSignals(db, scope, options)),
      read: (ids: readonly string[], visibilities: readonly Visibility[]) =>
        read((db) => readSignals(db, scope, ids, visibilities)),
      get: (id: string, visibilities: readonly Visibility[]) => read((db) => readSignal(db, scope, id, visibilities)),
    },
    counts: () => read((db) => selectCounts(db, scope)),
    openDeliveries: () => read((db) => countOpenDeliveries(db, slug)),
    deepestChain: () => read((db) => selectDeepestChain(db, scope)),
  })
}

/** SQLSTATE undefined_table and invalid_schema_name: there is no such tenant, or it is half provisioned. */
const MISSING = new Set(["42P01", "3F000"])

/** Says "no such tenant" where the database says "no such table". */
async function explain<Result>(scope: TenantScope, deps: EmitDeps, work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    if (!hasCode(error) || !MISSING.has(error.code)) throw error
    const tenant = await selectTenant(deps.database, scope.slug)
    if (tenant?.status === "ready") throw error
    throw new FleetPromptError(
      "tenant_unknown",
      `expected a provisioned tenant, got "${scope.slug}"; call fleet.tenants.provision("${scope.slug}") first`,
      {
        cause: error,
      },
    )
  }
}

function hasCode(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string"
}
