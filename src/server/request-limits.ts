import { checkLimit, type RequestLimit } from "../access/request-limiter.ts"

/** A limit on requests, and whom it counts. */
export interface RequestRule extends RequestLimit {
  /**
   * address: each address, of IPv6 each /64, where it is known; caller: each person, key or account; tenant: each tenant.
   */
  readonly by: "address" | "caller" | "tenant"
  /** Of which requests. `refused`: those that were answered 401; others are only held up once they are too many. */
  readonly of: "all" | "reads" | "changes" | "webhooks" | "refused"
  /** Whether each route is counted for itself. */
  readonly perRoute: boolean
}

const MINUTE_MS = 60_000

/** What holds where nothing else is said; each is of all processes together. `docs/guides/limits.md` shows them. */
export const DEFAULT_REQUEST_RULES: readonly RequestRule[] = [
  { name: "address", by: "address", of: "all", perRoute: false, limit: 1_200, windowMs: MINUTE_MS },
  { name: "refused", by: "address", of: "refused", perRoute: false, limit: 60, windowMs: MINUTE_MS },
  { name: "webhooks", by: "address", of: "webhooks", perRoute: false, limit: 6_000, windowMs: MINUTE_MS },
  { name: "caller", by: "caller", of: "all", perRoute: false, limit: 1_200, windowMs: MINUTE_MS },
  { name: "reads", by: "tenant", of: "reads", perRoute: true, limit: 3_000, windowMs: MINUTE_MS },
  { name: "changes", by: "tenant", of: "changes", perRoute: true, limit: 100, windowMs: MINUTE_MS },
]

/** @throws FleetPromptError `config_invalid` */
export function checkRules(rules: readonly RequestRule[]): readonly RequestRule[] {
  for (const rule of rules) checkLimit(rule)
  return rules
}
