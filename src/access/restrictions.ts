import type { AuditActor } from "../audit/audit-entry.ts"
import { FleetPromptError } from "../errors.ts"
import { isPermission, type Permission } from "./policies.ts"
import type { Role } from "./principal.ts"

/** Roles that may still do something: who is not named here loses it. It never gives anything. */
export type Restrictions = { readonly [Action in Permission]?: readonly Role[] }

/** Where the restrictions are that all processes of a fleet have in common. */
export interface RestrictionsStore {
  readonly read: () => Promise<Restrictions>
  /** Keeps them, and tells the other processes. */
  readonly write: (restrictions: Restrictions, actor: AuditActor) => Promise<void>
}

/** From when on what is known is read again, behind the decision that goes by it, milliseconds. */
const RECHECK_MS = 1_000
/** From when on nothing is decided by it before it was read again, milliseconds. */
const TRUSTED_MS = 2_000

/**
 * The restrictions of a fleet: those that this process was made with, and those that all have in common. The database
 * has the latter, announcements tell that they changed, and whoever decides asks for them to be at most 2 seconds old:
 * there is no timer, and a lost announcement costs no more than those seconds.
 */
export class RestrictionsBook {
  readonly #own: Restrictions
  readonly #store: RestrictionsStore
  readonly #listeners = new Set<() => void>()
  #shared: Restrictions = {}
  #current: Restrictions
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  /** Grows with each change that this process makes: what was read before it began is older. */
  #round = 0

  /** @throws FleetPromptError `config_invalid` when a restriction names what is no permission or no role */
  constructor(own: Restrictions, store: RestrictionsStore) {
    this.#own = checkedRestrictions(own)
    this.#current = this.#own
    this.#store = store
  }

  /** What holds, as far as it is known. */
  get current(): Restrictions {
    return this.#current
  }

  /** Resolves when what is known is at most 2 seconds old. */
  async refresh(): Promise<void> {
    const age = performance.now() - this.#readAt
    if (age < RECHECK_MS) return
    const read = this.#read()
    if (age >= TRUSTED_MS) await read
    // What fails is found out by whoever waits for it later.
    else read.catch(() => undefined)
  }

  /** Another process may have changed them. */
  doubt(): void {
    this.#readAt = Number.NEGATIVE_INFINITY
    this.#round += 1
    this.#reading = undefined
    this.#read().catch(() => undefined)
  }

  /** Replaces those that all processes have in common. @throws FleetPromptError `config_invalid` */
  async replace(restrictions: Restrictions, actor: AuditActor): Promise<void> {
    const checked = checkedRestrictions(restrictions)
    await this.#store.write(checked, actor)
    this.#round += 1
    this.#reading = undefined
    this.#learn(checked, performance.now())
  }

  /** Is called after each change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Many who ask at once share one look. */
  #read(): Promise<void> {
    const reading: Promise<void> = (this.#reading ??= this.#readOnce().finally(() => {
      if (this.#reading === reading) this.#reading = undefined
    }))
    return reading
  }

  async #readOnce(): Promise<void> {
    const [readAt, round] = [performance.now(), this.#round]
    const restrictions = await this.#store.read()
    if (round === this.#round) this.#learn(restrictions, readAt)
    else await this.#read()
  }

  #learn(shared: Restrictions, readAt: number): void {
    const isChanged = JSON.stringify(shared) !== JSON.stringify(this.#shared)
    this.#readAt = readAt
    if (!isChanged) return
    this.#shared = shared
    this.#current = both(this.#own, shared)
    for (const listener of this.#listeners) listener()
  }
}

/** What two take away together. */
function both(one: Restrictions, other: Restrictions): Restrictions {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(isPermission)
  return Object.fromEntries(
    names.map((name) => {
      const [left, right] = [one[name], other[name]]
      return [name, left && right ? left.filter((role) => right.includes(role)) : (left ?? right)]
    }),
  )
}

const ROLES = new Set<unknown>(["member", "admin", "owner", "operator"] satisfies readonly Role[])

/** A misspelt restriction would restrict nothing. @throws FleetPromptError `config_invalid` */
function checkedRestrictions(restrictions: Restrictions): Restrictions {
  for (const [permission, roles] of Object.entries<unknown>(restrictions)) {
    if (isPermission(permission) && isRoles(roles)) continue
    throw new FleetPromptError(
      "config_invalid",
      `expected a permission with roles as a restriction, got "${permission}"; docs/reference/policies.md names them`,
    )
  }
  return { ...restrictions }
}

/** What was stored, by whatever release: what this one does not know restricts nothing here. */
export function storedRestrictions(value: unknown): Restrictions {
  const entries: [string, unknown][] = typeof value === "object" && value !== null ? Object.entries(value) : []
  return Object.fromEntries(entries.filter(([permission, roles]) => isPermission(permission) && Array.isArray(roles)))
}

function isRoles(value: unknown): boolean {
  return Array.isArray(value) && value.every((role) => ROLES.has(role))
}
