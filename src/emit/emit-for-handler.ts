import { FleetPromptError } from "../errors.ts"
import type { JsonValue } from "../signal/json.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import { selectAncestors } from "../store/inspect.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { emit, type EmitDeps, type EmitResult } from "./emit.ts"

/** Who emits: a handler in one of its deliveries. */
export interface HandlerOrigin {
  readonly handler: string
  /** Names the delivery, the same in each attempt. */
  readonly deliveryId: string
}

/** What a handler may say about a signal it emits. */
interface Attributes {
  readonly subject?: string
  readonly dedupeKey?: string
}

/** How many signals a chain of handlers may have: A that causes B that causes A would never end. */
export const MAX_HOPS = 100
/** How much of a chain that is too long its error shows. */
const SHOWN_HOPS = 6

/**
 * Makes the emit of one run of a handler: for the cause's tenant, in its correlation, as visible as it, and
 * about the same subject unless told otherwise. The dedupe key holds the delivery, the type and the order of
 * the call, so that a run that is repeated emits nothing twice; what an earlier run emitted under it stays.
 */
export function emitterFor(cause: StoredSignal, origin: HandlerOrigin, deps: () => EmitDeps) {
  const calls = new Map<string, number>()
  return async (type: string, data: JsonValue, attributes: Attributes = {}): Promise<EmitResult> => {
    const call = (calls.get(type) ?? 0) + 1
    calls.set(type, call)
    const hops = (cause.metadata.hops ?? 0) + 1
    if (hops > MAX_HOPS) throw await tooManyHops(cause, deps())
    const key = `job:${origin.deliveryId}:${type}`
    const subject = attributes.subject ?? cause.subject
    const options = {
      source: `handler:${origin.handler}`,
      ...(subject === undefined ? {} : { subject }),
      dedupeKey: attributes.dedupeKey ?? (call === 1 ? key : `${key}:${call}`),
      visibility: cause.visibility,
      metadata: { correlation_id: cause.metadata.correlation_id, causation_id: cause.id, hops },
      ...(attributes.dedupeKey === undefined ? { onConflict: "existing" as const } : {}),
    }
    return emit(cause.tenant, type, data, options, deps())
  }
}

async function tooManyHops(cause: StoredSignal, { database, placements }: EmitDeps): Promise<FleetPromptError> {
  const { scope } = await placements.find(cause.tenant)
  return new FleetPromptError(
    "hop_limit",
    `expected a chain of at most ${MAX_HOPS} signals, this one goes on: ${await lastHops(cause, scope, database)}; look for handlers that cause each other`,
  )
}

async function lastHops(cause: StoredSignal, scope: TenantScope, database: EmitDeps["database"]): Promise<string> {
  const ancestors = await withinTenant(database, scope, (tx) => selectAncestors(tx, scope, cause.id))
  return [...ancestors, cause]
    .slice(-SHOWN_HOPS)
    .map(({ type }) => type)
    .join(" > ")
}
