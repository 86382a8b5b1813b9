import type { KeepRequest } from "../store/deliveries.ts"
import { LOOKS_PER_LEASE, type Stall } from "./loop-watch.ts"

/** A handler whose deliveries are kept. */
export interface KeptHandler {
  readonly name: string
  readonly timeoutMs: number
}

/** Whose leases they are. */
export interface KeepRules {
  readonly worker: string
  readonly leaseMs: number
  /** In the order of the loop's mark. Tenants may have handlers of one name that differ; the longest timeout counts. */
  readonly handlers: readonly KeptHandler[]
}

/**
 * Which leases to keep. While the loop is blocked nobody times out what runs, so a handler's deliveries are let go
 * when its timeout and a lease have passed.
 */
export function keepRequest({ looks, blamed }: Stall, { worker, leaseMs, handlers }: KeepRules): KeepRequest {
  const blockedMs = (looks * leaseMs) / LOOKS_PER_LEASE
  const handler = blamed && handlers[blamed.handler]?.name
  return {
    worker,
    leaseMs,
    handlers: [...new Set(handlers.filter(({ timeoutMs }) => blockedMs < timeoutMs + leaseMs).map(({ name }) => name))],
    except: handler === undefined ? undefined : { handler, signalIds: blamed?.signalIds ?? [] },
  }
}
