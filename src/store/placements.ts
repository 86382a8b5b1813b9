import { FleetPromptError } from "../errors.ts"
import type { Queryable } from "./database.ts"
import {
  selectChangedTenants,
  selectTenant,
  type TenantClass,
  type TenantRecord,
  type TenantStatus,
} from "./tenants.ts"
import { LATEST_TENANT_VERSION } from "./migrate.ts"
import { checkUsable, isUsable, type SchemaState } from "./tenant-features.ts"
import { engineScope, type TenantScope } from "./tenant-scope.ts"

/** A tenant: where its rows are, its class, and what may be done with it. */
export interface PlacedTenant {
  readonly scope: TenantScope
  readonly class: TenantClass
  readonly status: TenantStatus
  /** Its deliveries are not to be claimed. */
  readonly holdsDeliveries: boolean
  /** Which order its signals are in; see `TenantRecord`. */
  readonly generation: number
  /** What its schema is, for `requireFeature`. */
  readonly schema: SchemaState
  /** While it is `elsewhere`: in which database of the fleet; see `TenantRecord`. */
  readonly cell: string | null
}

interface Known extends PlacedTenant {
  readonly readAt: number
}

/** How long what is known of a tenant may be used without being read again, milliseconds. */
const FRESH_MS = 60_000
/** How long ago it may be that all changes were asked for, milliseconds. So nobody goes by what was true before that. */
const TRUSTED_MS = 2_000
/** So long after that they are asked for again, beside what goes on, milliseconds. */
const RECHECK_MS = 1_000
/** Changes are asked for so much further back, for what was committed late, milliseconds. */
const OVERLAP_MS = 15_000
/** There is nothing to be read. */
const UNREADABLE: ReadonlySet<TenantStatus> = new Set(["provisioning", "deleted", "elsewhere"])
/** Most tenants that are remembered. */
const MAX_KNOWN = 20_000

/**
 * Knows where tenants are and whether they may be used, so that not every emit has to ask. While it is used it asks
 * once a second what has changed, in one statement for all tenants; what nobody could confirm within 2 seconds is read
 * again before it is used. So a tenant that is suspended or moved is known to be so everywhere after 2 seconds, without
 * a timer and though no announcement be heard.
 */
export class Placements {
  readonly #database: Queryable
  readonly #latest: number
  readonly #known = new Map<string, Known>()
  readonly #underWay = new Map<string, Promise<PlacedTenant>>()
  /** Since when what is known holds, as far as nobody read it later. */
  #confirmedAt = Number.NEGATIVE_INFINITY
  /** What was known before this is doubted. */
  #doubtedAt = Number.NEGATIVE_INFINITY
  #checking: Promise<void> | undefined

  /** @param latest the last migration of tenants' schemas that this process knows. */
  constructor(database: Queryable, latest: number = LATEST_TENANT_VERSION) {
    this.#database = database
    this.#latest = latest
  }

  /** A tenant that may be used and was looked up lately; undefined when it has to be asked for. */
  known(slug: string): PlacedTenant | undefined {
    const known = this.#trusted(slug)
    return known?.status === "ready" && isUsable(known.schema, this.#latest) ? known : undefined
  }

  /**
   * Looks up a tenant that may be used.
   *
   * @param tx the transaction to ask in, for a caller who holds one.
   * @throws FleetPromptError `tenant_invalid`, `tenant_unknown`, `tenant_suspended`, `tenant_moving`
   */
  async find(slug: string, tx: Queryable = this.#database): Promise<PlacedTenant> {
    return usable(slug, await this.#find(slug, tx), this.#latest)
  }

  /**
   * Looks up a tenant that may be read, although nothing may come in: one that is suspended, moved or to be deleted too.
   *
   * @throws FleetPromptError `tenant_invalid`, `tenant_unknown`
   */
  async findToRead(slug: string): Promise<PlacedTenant> {
    const placed = await this.#find(slug, this.#database)
    if (UNREADABLE.has(placed.status)) return usable(slug, placed, this.#latest)
    checkUsable(placed.schema, this.#latest)
    return placed
  }

  /** What anybody knows may have changed: it is asked for before it is used again. */
  doubt(): void {
    this.#doubtedAt = performance.now()
  }

  /** Remembers a tenant that was just read. */
  learn(record: TenantRecord, readAt: number = performance.now()): PlacedTenant {
    const { slug, placement, status, holdsDeliveries, generation, schemaVersion, breakingVersion } = record
    const scope = engineScope(slug, placement)
    const schema = { slug, schemaVersion, breakingVersion }
    const known: Known = Object.freeze({
      scope,
      class: record.class,
      status,
      holdsDeliveries,
      generation,
      schema,
      cell: record.cell,
      readAt,
    })
    this.#known.delete(slug)
    // One that is being made is ready at any moment, and one that has gone may come again. That it is elsewhere may be
    // what another database says, whose transaction somebody asked in.
    if (UNREADABLE.has(status)) return known
    this.#known.set(slug, known)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest)
    return known
  }

  /** Forgets a tenant, which changed or has gone. */
  forget(slug: string): void {
    this.#known.delete(slug)
  }

  async #find(slug: string, tx: Queryable): Promise<PlacedTenant> {
    const known = this.#trusted(slug)
    if (known) return known
    const { slug: checked } = engineScope(slug)
    // A transaction sees what others do not yet, and must not wait for them.
    if (tx !== this.#database) return this.#read(checked, tx)
    if (this.#known.has(checked)) await this.#check()
    return this.#trusted(checked) ?? this.#readOnce(checked)
  }

  #trusted(slug: string): Known | undefined {
    const known = this.#known.get(slug)
    const now = performance.now()
    if (!known || now - known.readAt >= FRESH_MS) return undefined
    const confirmedAt = Math.max(known.readAt, this.#confirmedAt)
    if (confirmedAt <= this.#doubtedAt || now - confirmedAt >= TRUSTED_MS) return undefined
    // What fails is found out by whoever waits for it later.
    if (now - confirmedAt >= RECHECK_MS) this.#check().catch(() => undefined)
    return known
  }

  /** Asks what has changed since it was last asked; many who ask at once share one answer. */
  #check(): Promise<void> {
    return (this.#checking ??= this.#readChanges().finally(() => (this.#checking = undefined)))
  }

  async #readChanges(): Promise<void> {
    const askedAt = performance.now()
    const [oldest] = this.#known.values()
    // Nothing older is known: the oldest entry stands first.
    const since = Math.max(this.#confirmedAt, oldest?.readAt ?? askedAt)
    const changed = await selectChangedTenants(this.#database, Math.min(askedAt - since, FRESH_MS) + OVERLAP_MS)
    for (const record of changed) if (this.#known.has(record.slug)) this.learn(record, askedAt)
    this.#confirmedAt = askedAt
  }

  /** Many who ask at once share one look. */
  #readOnce(slug: string): Promise<PlacedTenant> {
    const reading =
      this.#underWay.get(slug) ?? this.#read(slug, this.#database).finally(() => this.#underWay.delete(slug))
    this.#underWay.set(slug, reading)
    return reading
  }

  async #read(slug: string, tx: Queryable): Promise<PlacedTenant> {
    const readAt = performance.now()
    const record = await selectTenant(tx, slug)
    if (record) return this.learn(record, readAt)
    throw unknown(slug)
  }
}

/** @throws FleetPromptError when nothing may be stored or run for the tenant */
function usable(slug: string, placed: PlacedTenant, latest: number): PlacedTenant {
  switch (placed.status) {
    case "elsewhere":
      throw elsewhere(slug, placed.cell)
    case "ready":
      checkUsable(placed.schema, latest)
      return placed
    case "provisioning":
    case "deleted":
      throw unknown(slug)
    case "moving":
      throw new FleetPromptError(
        "tenant_moving",
        `expected a tenant that may be used, "${slug}" is being moved to another placement; try again in a moment`,
      )
    case "suspended":
    case "deleting":
    case "failed":
      throw new FleetPromptError(
        "tenant_suspended",
        `expected a tenant that may be used, "${slug}" is ${placed.status}; ${REMEDY[placed.status]}`,
      )
  }
}

const REMEDY = {
  suspended: "an operator can resume it with fleet.tenants.resume",
  deleting: "an owner or operator can undo that with fleet.tenants.undelete, until it has been removed",
  failed: "an operator has to look at it: fleetprompt tenants check",
} as const

/** What a process is told that asks a database for a tenant whose rows are in another one. */
export function elsewhere(slug: string, cell: string | null): FleetPromptError {
  return new FleetPromptError(
    "tenant_elsewhere",
    `expected a tenant of this database, "${slug}" is in cell "${cell ?? "?"}"; a process that has \`databases\` reaches it there, and a transaction has to be one of that database`,
  )
}

function unknown(slug: string): FleetPromptError {
  return new FleetPromptError(
    "tenant_unknown",
    `expected a provisioned tenant, got "${slug}"; call fleet.tenants.provision("${slug}") first`,
  )
}
