import type { JsonValue } from "../signal/json.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import { tenantScope } from "../store/tenant-scope.ts"
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

/**
 * Makes the emit of one run of a handler: for the cause's tenant, in its correlation, as visible as it, and
 * about the same subject unless told otherwise. The dedupe key holds the delivery, the type and the order of
 * the call, so that a run that is repeated emits nothing twice.
 */
export function emitterFor(cause: StoredSignal, origin: HandlerOrigin, deps: () => EmitDeps) {
  const calls = new Map<string, number>()
  return async (type: string, data: JsonValue, attributes: Attributes = {}): Promise<EmitResult> => {
    const call = (calls.get(type) ?? 0) + 1
    calls.set(type, call)
    const key = `job:${origin.deliveryId}:${type}`
    const subject = attributes.subject ?? cause.subject
    const options = {
      source: `handler:${origin.handler}`,
      ...(subject === undefined ? {} : { subject }),
      dedupeKey: attributes.dedupeKey ?? (call === 1 ? key : `${key}:${call}`),
      visibility: cause.visibility,
      metadata: { correlation_id: cause.metadata.correlation_id, causation_id: cause.id },
    }
    return emit(tenantScope(cause.tenant), type, data, options, deps())
  }
}
