import type { AuditActor } from "../audit/audit-entry.ts"
import type { JsonObject } from "../signal/json.ts"
import type { ReplayOrder, ReplayRecord } from "../store/replays.ts"
import type { ReplayRequest } from "./replay-request.ts"

/** Who asks for a replay. */
export interface ReplayActor {
  /** What they are, for the audit log. Default `host`: a person of the host application. */
  readonly kind?: AuditActor["kind"]
  readonly id: string
  /** Only `owner`, `admin` and `operator` may. */
  readonly role: string
}

/** Where a replay stands. */
export interface Replay {
  readonly id: string
  /** What was asked for, with the defaults filled in. */
  readonly request: ReplayRequest
  readonly requestedBy: ReplayActor
  /** paused: makes no more deliveries until it is resumed; failed: cannot go on, `error` says why. */
  readonly status: "running" | "paused" | "completed" | "cancelled" | "failed"
  /** Signals in all, as counted at the start. */
  readonly total: number
  /** Signals looked at so far. */
  readonly seen: number
  /** Deliveries made so far. */
  readonly enqueued: number
  /** Deliveries left out so far, because they had succeeded, were open, or may not be replayed. */
  readonly skipped: number
  /** Deliveries made that are still to be done. */
  readonly open: number
  readonly error: JsonObject | null
  /** RFC 3339, as are the next two. */
  readonly createdAt: string
  readonly updatedAt: string
  readonly finishedAt: string | null
}

/** A replay for a reader. */
export function toReplay({
  tenant: _,
  order,
  requestedBy,
  reason,
  createdAt,
  updatedAt,
  finishedAt,
  ...rest
}: ReplayRecord): Replay {
  return {
    ...rest,
    request: toRequest(order, reason),
    requestedBy: { id: requestedBy ?? "", role: order.role },
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
    finishedAt: finishedAt?.toISOString() ?? null,
  }
}

function toRequest(
  { selection, pattern, handler, force, perSecond, maxOpen }: ReplayOrder,
  reason: string | null,
): ReplayRequest {
  const options = {
    force,
    perSecond,
    maxOpen,
    ...(handler !== null && { handler }),
    ...(reason !== null && { reason }),
  }
  const { signalId, from, to, subject, correlationId, source } = selection
  if (signalId !== null) return { ...options, signalId }
  const conditions = Object.entries({ pattern, from, to, subject, correlationId, source })
  return { ...options, filter: Object.fromEntries(conditions.filter(([, value]) => value !== null)) }
}
