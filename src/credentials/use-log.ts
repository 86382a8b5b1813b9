import { appendAudit } from "../audit/append-audit.ts"
import type { AuditEntry } from "../audit/audit-entry.ts"
import { touchCredentials } from "../store/credentials.ts"
import type { Database } from "../store/database.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"

/** A use to be noted before the secret is handed out. */
export interface Use {
  /** The credential's id. */
  readonly id: string
  readonly entry: AuditEntry
}

interface Waiting extends Use {
  readonly noted: () => void
  readonly failed: (error: unknown) => void
}

/** Uses in one transaction. */
const MAX_BATCH = 500

/**
 * Notes each use in the tenant's audit log before it happens: without the commit, no secret. Uses that come while a
 * commit of their tenant is under way share the next one, so a busy handler pays for few.
 */
export class UseLog {
  readonly #database: Database
  readonly #lines = new Map<string, Waiting[]>()

  constructor(database: Database) {
    this.#database = database
  }

  /** Resolves when the use is in the audit log. */
  note(scope: TenantScope, use: Use): Promise<void> {
    return new Promise((noted, failed) => {
      const line = this.#lines.get(scope.slug)
      const waiting = { ...use, noted, failed }
      if (line) return void line.push(waiting)
      const started = [waiting]
      this.#lines.set(scope.slug, started)
      void this.#work(scope, started)
    })
  }

  async #work(scope: TenantScope, line: Waiting[]): Promise<void> {
    // What is asked for in the same turn goes along.
    await Promise.resolve()
    while (line.length > 0) await this.#commit(scope, line.splice(0, MAX_BATCH))
    this.#lines.delete(scope.slug)
  }

  async #commit(scope: TenantScope, uses: readonly Waiting[]): Promise<void> {
    const used = uses.filter(({ entry }) => entry.outcome !== "denied").map(({ id }) => id)
    try {
      await withinTenant(this.#database, scope, async (tx) => {
        await appendAudit(
          tx,
          scope,
          uses.map(({ entry }) => entry),
        )
        if (used.length > 0) await touchCredentials(tx, scope, [...new Set(used)].toSorted())
      })
      for (const { noted } of uses) noted()
    } catch (error) {
      for (const { failed } of uses) failed(error)
    }
  }
}
