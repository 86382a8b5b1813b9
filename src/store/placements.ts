import { FleetPromptError } from "../errors.ts"
import type { Queryable } from "./database.ts"
import { selectTenant, type TenantClass, type TenantRecord } from "./tenants.ts"
import { type TenantScope, tenantScope } from "./tenant-scope.ts"

/** A tenant that may be used: where its rows are, and its class. */
export interface PlacedTenant {
  readonly scope: TenantScope
  readonly class: TenantClass
}

interface Known extends PlacedTenant {
  readonly readAt: number
}

/** How long what is known of a tenant is trusted, milliseconds. */
const FRESH_MS = 60_000
/** Most tenants that are remembered. */
const MAX_KNOWN = 20_000

/** Knows where tenants are, so that not every emit has to ask. */
export class Placements {
  readonly #database: Queryable
  readonly #known = new Map<string, Known>()
  readonly #underWay = new Map<string, Promise<PlacedTenant>>()

  constructor(database: Queryable) {
    this.#database = database
  }

  /** A tenant that was looked up lately; undefined when it was not. */
  known(slug: string): PlacedTenant | undefined {
    const known = this.#known.get(slug)
    return known && performance.now() - known.readAt < FRESH_MS ? known : undefined
  }

  /**
   * Looks a tenant up.
   *
   * @param tx the transaction to ask in, for a caller who holds one.
   * @throws FleetPromptError `tenant_invalid`, `tenant_unknown`
   */
  async find(slug: string, tx: Queryable = this.#database): Promise<PlacedTenant> {
    const known = this.known(slug)
    if (known) return known
    // A transaction sees what others do not yet, and must not wait for them.
    return tx === this.#database ? this.#readOnce(tenantScope(slug).slug) : this.#read(tenantScope(slug).slug, tx)
  }

  /** Many who ask at once share one look. */
  #readOnce(slug: string): Promise<PlacedTenant> {
    const reading =
      this.#underWay.get(slug) ?? this.#read(slug, this.#database).finally(() => this.#underWay.delete(slug))
    this.#underWay.set(slug, reading)
    return reading
  }

  /** Remembers a tenant that was just read. */
  learn(record: TenantRecord): PlacedTenant {
    const scope = tenantScope(record.slug, record.placement)
    const known: Known = Object.freeze({ scope, class: record.class, readAt: performance.now() })
    this.#known.delete(record.slug)
    this.#known.set(record.slug, known)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest)
    return known
  }

  /** Forgets a tenant, which changed or has gone. */
  forget(slug: string): void {
    this.#known.delete(slug)
  }

  async #read(slug: string, tx: Queryable): Promise<PlacedTenant> {
    const record = await selectTenant(tx, slug)
    if (record?.status === "ready") return this.learn(record)
    throw new FleetPromptError(
      "tenant_unknown",
      `expected a provisioned tenant, got "${slug}"; call fleet.tenants.provision("${slug}") first`,
    )
  }
}
