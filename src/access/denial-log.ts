import type { AuditEntry } from "../audit/audit-entry.ts"
import type { JsonObject } from "../signal/json.ts"
import type { Denied, Resource } from "./policy.ts"
import type { Permission } from "./policies.ts"
import { actorOf } from "./principal-actor.ts"
import type { Principal } from "./principal.ts"

/** How long repeated denials are only counted after the first one was noted, milliseconds. */
const WINDOW_MS = 60_000
/** Entries of one tenant in a window at most, so that nobody fills its log. */
const MAX_OF_TENANT = 50
/** Different denials that are counted at once at most; beyond, they are told as telemetry alone. */
const MAX_COUNTED = 2_000

/** What denials are noted with. */
export interface DenialLogDeps {
  /** Adds entries to a tenant's audit log. */
  readonly append: (tenant: string, entries: readonly AuditEntry[]) => Promise<void>
  /** Is told when that failed. */
  readonly onError: (error: unknown) => void
}

interface Counted {
  readonly denied: Denied
  /** How often again since the first was noted. */
  again: number
}

/**
 * Notes denials in the audit log: the first of its kind at once, those that follow within a minute as one entry with
 * their number, so that a loop cannot fill the log. A kind is one principal and one action.
 */
export class DenialLog {
  readonly #deps: DenialLogDeps
  readonly #counted = new Map<string, Counted>()
  readonly #ofTenant = new Map<string, number>()
  readonly #underWay = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined

  constructor(deps: DenialLogDeps) {
    this.#deps = deps
  }

  /** Notes a denial, later. */
  add(denied: Denied): void {
    const { principal, action } = denied
    const key = JSON.stringify([principal.tenant, principal.kind, principal.id, action])
    const counted = this.#counted.get(key)
    if (counted) counted.again += 1
    else if (this.#mayCount(principal.tenant)) {
      this.#counted.set(key, { denied, again: 0 })
      this.#append(principal.tenant, [entryOf(denied)])
    }
  }

  /** Notes what was counted, and resolves when all is written. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const repeated = [...this.#counted.values()].filter(({ again }) => again > 0)
    this.#counted.clear()
    this.#ofTenant.clear()
    for (const { denied, again } of repeated)
      this.#append(denied.principal.tenant, [entryOf(denied, { timesMore: again })])
    await Promise.all(this.#underWay)
  }

  #mayCount(tenant: string): boolean {
    const ofTenant = this.#ofTenant.get(tenant) ?? 0
    if (ofTenant >= MAX_OF_TENANT || this.#counted.size >= MAX_COUNTED) return false
    this.#ofTenant.set(tenant, ofTenant + 1)
    this.#timer ??= setTimeout(() => void this.flush(), WINDOW_MS).unref()
    return true
  }

  #append(tenant: string, entries: readonly AuditEntry[]): void {
    const appended: Promise<void> = this.#deps
      .append(tenant, entries)
      .catch(this.#deps.onError)
      .finally(() => this.#underWay.delete(appended))
    this.#underWay.add(appended)
  }
}

function entryOf({ principal, action, resource, denial }: Denied, more: JsonObject = {}): AuditEntry {
  return {
    ...accessEntry(principal, action, resource),
    outcome: "denied",
    details: { reason: denial.kind, ...(principal.key !== undefined && { key: principal.key }), ...more },
  }
}

/** The audit entry of an action of the table: `api_keys:create` is `api_keys.create` on `api_keys:<id>`. */
export function accessEntry(principal: Principal, permission: Permission, { id = "*" }: Resource): AuditEntry {
  const [resource, action] = permission.split(":")
  return { action: `${resource}.${action}`, resource: `${resource}:${id}`, actor: actorOf(principal) }
}
