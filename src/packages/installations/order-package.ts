import type { Permission } from "../../access/policies.ts"
import { requestDirective } from "../../directives/request-directive.ts"
import { FleetPromptError } from "../../errors.ts"
import type { JsonObject, JsonValue } from "../../signal/json.ts"
import type { Queryable } from "../../store/database.ts"
import { type DirectiveRecord, selectDirectiveByKey } from "../../store/directives.ts"
import { countDirectivesByKey } from "../../store/installations.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import type { InstallationsDeps } from "./installations-deps.ts"
import type { PackageOrder, PackageOrdered } from "./tenant-packages.ts"

/** Who asks, and under which key, where it is not that of the order itself. */
export interface KeyedOrder extends PackageOrder {
  readonly idempotencyKey?: string
}

/** An order for a package, as a directive. */
export interface OrderOf<Params extends { readonly round?: number }> {
  readonly type: string
  readonly params: Params
  /** The key of the first such order; later ones end in their number. */
  readonly key: (params: Params, of: { readonly tenant: string }) => string
  readonly plan?: JsonValue
  /** Whether what is ordered is so already. */
  readonly isSo: (tx: Queryable) => Promise<boolean>
  /** Refuses a new order, or does not. */
  readonly check: () => void
  /** What is stored with a new order, in the same commit. */
  readonly store?: (tx: Queryable, directive: DirectiveRecord) => Promise<void>
  readonly installationIdOf: (directive: DirectiveRecord) => string
}

/** @throws FleetPromptError `forbidden`, `not_found` */
export async function admit(
  permission: Permission,
  slug: string,
  { actor }: Pick<PackageOrder, "actor">,
  { access }: Pick<InstallationsDeps, "access">,
): Promise<void> {
  if (actor) await access.admit(actor, permission, { tenant: slug })
}

/**
 * Orders it, once: whoever orders the same while it is under way, or while what it did is so, gets the same directive.
 * All in one transaction: the count of what is over, the request and what is stored with it.
 */
export function orderPackage<Params extends JsonObject & { readonly round?: number }>(
  scope: TenantScope,
  order: OrderOf<Params>,
  options: KeyedOrder,
  deps: InstallationsDeps,
): Promise<PackageOrdered> {
  const { type, key, plan, isSo, check, store, installationIdOf } = order
  const { idempotencyKey } = options
  if (idempotencyKey !== undefined) return orderByKey(scope, order, { ...options, idempotencyKey }, deps)
  const tenant = scope.slug
  return withinTenant(deps.database, scope, async (tx) => {
    const first = key(order.params, { tenant })
    const { total, open } = await countDirectivesByKey(tx, scope, { type, key: first })
    const alreadySo = await isSo(tx)
    // The last of them is not over: it is open, or what it did is so.
    const round = Math.max(0, total - (open > 0 || alreadySo ? 1 : 0))
    const params = round === 0 ? order.params : { ...order.params, round }
    if (!(await selectDirectiveByKey(tx, scope, key(params, { tenant })))) {
      check()
      if (alreadySo) throw isSoAlready(type)
    }
    const asked = { ...options, ...(plan !== undefined && { plan }), tx }
    const { directive, inserted } = await requestDirective(tenant, type, params, asked, deps)
    if (inserted) await store?.(tx, directive)
    return { directive, inserted, installationId: installationIdOf(directive) }
  })
}

/** Orders it once under a key of the caller's. */
function orderByKey<Params extends JsonObject & { readonly round?: number }>(
  scope: TenantScope,
  { type, params, plan, isSo, check, installationIdOf }: OrderOf<Params>,
  options: KeyedOrder & { readonly idempotencyKey: string },
  deps: InstallationsDeps,
): Promise<PackageOrdered> {
  return withinTenant(deps.database, scope, async (tx) => {
    const known = await selectDirectiveByKey(tx, scope, options.idempotencyKey)
    if (known) return { directive: known, inserted: false, installationId: installationIdOf(known) }
    check()
    if (await isSo(tx)) throw isSoAlready(type)
    const asked = { ...options, ...(plan !== undefined && { plan }), tx }
    const { directive, inserted } = await requestDirective(scope.slug, type, params, asked, deps)
    return { directive, inserted, installationId: installationIdOf(directive) }
  })
}

function isSoAlready(type: string): FleetPromptError {
  return new FleetPromptError(
    "installation_state",
    `expected ${type} to change something, it is so already; nothing is to be done`,
  )
}
