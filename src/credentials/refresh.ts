import { setTimeout as sleep } from "node:timers/promises"
import { appendAudit } from "../audit/append-audit.ts"
import type { AuditEntry } from "../audit/audit-entry.ts"
import { redactText } from "../guard/redact.ts"
import { RevealedSecrets } from "../guard/revealed.ts"
import type { JsonObject } from "../signal/json.ts"
import { type CredentialRecord, endRefresh, leaseRefresh, replaceSecret } from "../store/credentials.ts"
import type { Database } from "../store/database.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { checkSecret, sealSecret } from "./envelope.ts"
import type { KeyRing } from "./key-ring.ts"
import type { Opened } from "./opened.ts"

/** What a provider answered. */
export type Refreshed =
  /** The new secret, whole; scopes as before when they are left out. */
  | {
      readonly kind: "refreshed"
      readonly secret: JsonObject
      readonly expiresAt: Date | null
      readonly scopes?: readonly string[]
    }
  /** The provider will not, for example because the person took the access back. The reason must hold no secret. */
  | { readonly kind: "refused"; readonly reason: string }

/** What a refresher is told. */
export interface RefreshContext {
  readonly tenant: string
  readonly id: string
  readonly account: string
  readonly scopes: readonly string[]
  /** Fires when nobody waits for it any more. */
  readonly abort: AbortSignal
}

/** Gets new secrets for credentials of the kind `oauth2` of one provider. */
export interface CredentialRefresher {
  readonly provider: string
  /** How long before it expires a secret is made new, milliseconds. Default 60,000. */
  readonly aheadMs?: number
  /**
   * Asks the provider. Never called twice at once for one credential, in all processes together. What it throws is taken
   * for a failure that passes.
   */
  readonly refresh: (secret: JsonObject, context: RefreshContext) => Promise<Refreshed>
}

/** What a refresh works with. */
export interface RefreshDeps {
  readonly database: Database
  readonly ring: KeyRing
  /** Names this process. */
  readonly worker: string
  /** Reads a credential anew. */
  readonly read: (scope: TenantScope, id: string) => Promise<Opened>
}

const DEFAULT_AHEAD_MS = 60_000
/** How long a refresh may take before another process may try, milliseconds. */
const LEASE_MS = 30_000
/** How long the provider may take: less, so that its answer is stored within the lease. */
const PROVIDER_MS = 20_000
/** How often to look whether another process is done, milliseconds. */
const LOOK_MS = 200
const MAX_PROBLEM = 300

/** Makes secrets new before they expire. One process at a time, by a lease in the row; within a process once for all. */
export class Refresh {
  readonly #deps: RefreshDeps
  readonly #refreshers: ReadonlyMap<string, CredentialRefresher>
  readonly #underWay = new Map<string, Promise<Opened>>()

  constructor(refreshers: readonly CredentialRefresher[], deps: RefreshDeps) {
    this.#deps = deps
    this.#refreshers = new Map(refreshers.map((each) => [each.provider, each]))
  }

  /** The credential as it is, or with a new secret when its old one is about to expire. */
  fresh(scope: TenantScope, opened: Opened): Promise<Opened> {
    const refresher = this.#refresherFor(opened)
    if (!refresher || !isDue(opened, refresher.aheadMs ?? DEFAULT_AHEAD_MS)) return Promise.resolve(opened)
    const key = `${scope.slug} ${opened.record.id}`
    const refreshing =
      this.#underWay.get(key) ?? this.#refresh(scope, opened, refresher).finally(() => void this.#underWay.delete(key))
    this.#underWay.set(key, refreshing)
    return refreshing
  }

  #refresherFor({ record }: Opened): CredentialRefresher | undefined {
    const isLive = record.status === "active" || record.status === "expired"
    return isLive && record.kind === "oauth2" ? this.#refreshers.get(record.provider) : undefined
  }

  async #refresh(scope: TenantScope, before: Opened, refresher: CredentialRefresher): Promise<Opened> {
    const holder = { worker: this.#deps.worker, leaseMs: LEASE_MS }
    const over = performance.now() + LEASE_MS
    let current = before
    for (;;) {
      const isMine = await withinTenant(this.#deps.database, scope, (tx) =>
        leaseRefresh(tx, scope, current.record, holder),
      )
      if (isMine) return this.#ask(scope, current, refresher)
      current = await this.#deps.read(scope, before.record.id)
      if (current.record.version !== before.record.version || !isDue(current, 0) || performance.now() > over)
        return current
      if (current.record.status === "revoked" || current.record.status === "error") return current
      await sleep(LOOK_MS)
    }
  }

  async #ask(scope: TenantScope, current: Opened, refresher: CredentialRefresher): Promise<Opened> {
    const { record, secret } = current
    const { id, account, scopes } = record
    const abort = AbortSignal.timeout(PROVIDER_MS)
    const context = { tenant: scope.slug, id, account, scopes, abort }
    try {
      const answer = await inTime(refresher.refresh(secret, context), abort)
      if (answer.kind === "refreshed") await this.#store(scope, record, answer)
      else await this.#refused(scope, record, plainReason(answer.reason, secret))
    } catch {
      // What passes must not end a secret that is still good: whoever uses it finds out whether it has expired.
      await this.#end(scope, record, "failed", null)
    }
    return this.#deps.read(scope, id)
  }

  async #store(
    scope: TenantScope,
    { id, version }: CredentialRecord,
    answer: Extract<Refreshed, { kind: "refreshed" }>,
  ): Promise<void> {
    const { database, ring, worker } = this.#deps
    const place = { tenant: scope.slug, id, version: version + 1 }
    const sealed = await sealSecret(ring, place, checkSecret(answer.secret))
    const { expiresAt, scopes } = answer
    await withinTenant(database, scope, async (tx) => {
      const stored = await replaceSecret(tx, scope, { id, version, expiresAt, scopes, refreshedBy: worker, ...sealed })
      if (stored) await appendAudit(tx, scope, [entryOf(id, "done", { version: stored.version })])
    })
  }

  #refused(scope: TenantScope, record: CredentialRecord, problem: string): Promise<void> {
    return this.#end(scope, record, "denied", problem)
  }

  #end(
    scope: TenantScope,
    { id }: CredentialRecord,
    outcome: "denied" | "failed",
    problem: string | null,
  ): Promise<void> {
    const { database, worker } = this.#deps
    return withinTenant(database, scope, async (tx) => {
      await endRefresh(tx, scope, id, worker, problem)
      await appendAudit(tx, scope, [entryOf(id, outcome, problem === null ? {} : { problem })])
    })
  }
}

/** Whether a secret expires within a time. */
function isDue({ expiresAtMs }: Opened, aheadMs: number): boolean {
  return expiresAtMs - performance.now() <= aheadMs
}

function entryOf(id: string, outcome: "done" | "denied" | "failed", details: JsonObject): AuditEntry {
  const actor = { kind: "system", id: "credential-refresh" } as const
  return { action: "credential.refresh", resource: `credential:${id}`, actor, outcome, details }
}

function plainReason(reason: string, secret: JsonObject): string {
  const revealed = new RevealedSecrets()
  revealed.add(secret)
  return redactText(revealed.maskStart(reason)).slice(0, MAX_PROBLEM).replaceAll("\u0000", "\uFFFD").toWellFormed()
}

async function inTime<Result>(work: Promise<Result>, abort: AbortSignal): Promise<Result> {
  const late = new Promise<never>((_, reject) => {
    abort.addEventListener("abort", () => reject(abort.reason as Error), { once: true })
  })
  return Promise.race([work, late])
}
