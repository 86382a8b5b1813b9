import type { Database, Transaction } from "../store/database.ts"
import { claimDeliveries, type ClaimedDelivery, type ClaimRequest, type LaneShare } from "../store/deliveries.ts"
import {
  countSlots,
  insertSlots,
  insertSpends,
  lockFlow,
  nextKeyFreeInMs,
  selectSpent,
  type SpendKey,
} from "../store/flow.ts"
import { claimByKey, supersede } from "../store/key-claims.ts"
import type { Handler } from "./handler-definition.ts"

/** A claim for a handler with limits. */
export interface FlowClaim {
  readonly handler: Handler
  readonly share: LaneShare
  readonly request: ClaimRequest
  /** The quoted schema of the tenant. */
  readonly schema: string
  /** Where the last claim by key ended. */
  readonly after: string
}

/** What a claim for a handler with limits got. */
export interface FlowClaimed {
  readonly deliveries: readonly ClaimedDelivery[]
  /** When a limit that held something back lets more through, milliseconds; null when that is not known. */
  readonly againInMs: number | null
  /** Whether a limit may have held something back. */
  readonly isHeldBack: boolean
}

/** Where a limit is not the tenant's own. */
const ALL = "*"

/**
 * Claims from one lane of a handler that has limits. One process at a time does it, and it counts what runs
 * and what was begun before it takes more; so the limits hold in all processes together.
 */
export async function claimWithin(database: Database, claim: FlowClaim): Promise<FlowClaimed> {
  return database.transaction(async (tx) => {
    const { handler, share } = claim
    await lockFlow(tx, handler.name, isForAll(handler) ? ALL : share.tenant)
    const { take, againInMs } = await allowance(tx, claim)
    if (take <= 0) return { deliveries: [], againInMs, isHeldBack: true }
    const deliveries = await claimUpTo(tx, claim, take)
    if (deliveries.length > 0) await book(tx, claim, deliveries)
    // What came short of the allowance came to the end of its lane.
    const isHeldBack = handler.flow === "keyed" || (take < share.take && deliveries.length === take)
    return { deliveries: deliveries.map((each) => ({ ...each, isLimited: true })), againInMs, isHeldBack }
  })
}

function isForAll({ limits }: Handler): boolean {
  return limits.global !== undefined || limits.rate?.per === "global"
}

interface Allowance {
  readonly take: number
  readonly againInMs: number | null
}

async function allowance(tx: Transaction, { handler, share }: FlowClaim): Promise<Allowance> {
  const { global, perTenant, perKey, rate, isOrdered } = handler.limits
  let { take } = share
  if (global !== undefined || perTenant !== undefined || (perKey !== undefined && !isOrdered)) {
    const count = await countSlots(tx, handler.name, share.tenant)
    take = Math.min(take, (global ?? Infinity) - count.global, (perTenant ?? Infinity) - count.tenant)
  }
  if (!rate) return { take, againInMs: null }
  if (rate.per === "key") {
    return { take, againInMs: await nextKeyFreeInMs(tx, handler.name, share.tenant, rate.perMs) }
  }
  const spent = await selectSpent(tx, spendKey(handler, share.tenant, null), rate.perMs)
  const left = rate.limit - spent.count
  return { take: Math.min(take, left), againInMs: left < take ? spent.freeInMs : null }
}

function spendKey({ name, limits }: Handler, tenant: string, flowKey: string | null): SpendKey {
  const per = limits.rate?.per
  return {
    handler: name,
    tenant: per === "global" ? ALL : tenant,
    flowKey: per === "key" ? (flowKey ?? "") : "",
  }
}

async function claimUpTo(
  tx: Transaction,
  { handler, share, request, after }: FlowClaim,
  take: number,
): Promise<readonly ClaimedDelivery[]> {
  if (handler.flow === "limited") return claimDeliveries(tx, request, [{ ...share, take }])
  const { perKey, rate, isOrdered, debounce } = handler.limits
  const isPerKey = rate?.per === "key"
  const limits = {
    take,
    // Of an ordered key there is never more than the first.
    perKey: isOrdered ? null : (perKey ?? null),
    rateLimit: isPerKey ? rate.limit : null,
    perMs: isPerKey ? rate.perMs : 0,
    which: isOrdered ? ("first" as const) : debounce ? ("last" as const) : ("any" as const),
    quietMs: debounce?.quietMs ?? 0,
    maxWaitMs: debounce?.maxMs ?? null,
  }
  return claimByKey(tx, request, share, limits, after)
}

/** Notes what the limits go by, and closes what a debounced delivery stands for. */
async function book(
  tx: Transaction,
  { handler, request, schema }: FlowClaim,
  deliveries: readonly ClaimedDelivery[],
): Promise<void> {
  const { global, perTenant, perKey, rate, isOrdered, debounce } = handler.limits
  if (global !== undefined || perTenant !== undefined || (perKey !== undefined && !isOrdered))
    await insertSlots(tx, deliveries)
  if (rate)
    await insertSpends(
      tx,
      deliveries.map(({ tenant, flowKey }) => ({ ...spendKey(handler, tenant, flowKey), count: 1 })),
    )
  if (debounce) await supersede(tx, schema, request.worker, deliveries)
}
