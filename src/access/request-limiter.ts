import { createHash } from "node:crypto"
import { LRUCache } from "lru-cache"
import { FleetPromptError } from "../errors.ts"
import type { Queryable } from "../store/database.ts"
import { deleteEndedLimits, type LimitGrant } from "../store/request-limits.ts"
import { LimitClaims } from "./limit-claims.ts"

/** How often something may be done, by all processes together. */
export interface RequestLimit {
  /** Names it, also to clients: small letters, digits and dashes. */
  readonly name: string
  /** How often in a window, 1 to 1,000,000,000. */
  readonly limit: number
  /** How long a window is, milliseconds, 1,000 to a day. It begins with the first request after the last one ended. */
  readonly windowMs: number
}

/** Whether something may be done now. */
export interface LimitVerdict {
  readonly limit: RequestLimit
  readonly allowed: boolean
  /** How much is left in the window, as far as this process knows. */
  readonly remaining: number
  /** Until the window ends, milliseconds. */
  readonly resetMs: number
}

/** What limits are counted with. */
export interface RequestLimiterDeps {
  /** For the engine's own statements. */
  readonly engine: Queryable
  /** Is told when the database could not be asked; this process then counts for itself. */
  readonly onError: (error: unknown) => void
  /** Clients that are remembered at most; of more, those that were seen longest ago begin anew. Default 20,000. */
  readonly maxRemembered?: number
}

/** What this process knows of one client in one window. */
interface Count {
  readonly key: string
  /** When the window ends, milliseconds of `performance.now()`. */
  endsAt: number
  /** Let through in this window by this process. */
  spent: number
  /** Of these, how many the database has not been told. */
  owed: number
  /** What was taken from the database and not yet spent. */
  held: number
  /** What the database had left at last; undefined: it was not asked yet. */
  left: number | undefined
  claiming: Promise<void> | undefined
  /** How many wait for the claim. */
  waiting: number
}

/** Of each limit, how much a process lets through before it asks the database: 1 in 100. */
const UNSHARED = 100
/** Of what is left, how much a process takes at once at most: 1 in 8. */
const PORTION = 8
/** Smaller portions are not taken before they are needed: others may need them. */
const MIN_AHEAD = 8
const MAX_REMEMBERED = 20_000
const SWEEP_EVERY_MS = 60_000
const SWEEP_BATCH = 5_000
const DAY_MS = 86_400_000
const NAME = /^[a-z][a-z0-9-]{0,40}$/

/**
 * Counts requests against limits that all processes share. The truth is a counter in the database; a process takes
 * portions of it, so that most requests ask nobody. What is granted in a window is never more than the limit. Two
 * things are not exact, by design: the first hundredth of a limit each process lets through without asking, and tells
 * later; and what a process took and does not use, others cannot have: about an eighth of what was left at most, and
 * never more than it used before.
 */
export class RequestLimiter {
  readonly #deps: RequestLimiterDeps
  readonly #claims: LimitClaims
  readonly #counts: LRUCache<string, Count>
  #sweptAt = performance.now()
  #sweeping: Promise<void> | undefined

  constructor(deps: RequestLimiterDeps) {
    this.#deps = deps
    this.#claims = new LimitClaims(deps)
    this.#counts = new LRUCache({ max: deps.maxRemembered ?? MAX_REMEMBERED })
  }

  /** How many clients are remembered. */
  get remembered(): number {
    return this.#counts.size
  }

  /**
   * Takes from a limit. Never rejects: while the database does not answer, each process counts for itself.
   *
   * @param subject whom it counts: an address, a tenant.
   * @param cost how much is taken; 0 only asks whether something is left.
   * @example
   * const { allowed } = await fleet.limiter.take({ name: "sign-in", limit: 10, windowMs: 60_000 }, email)
   */
  async take(limit: RequestLimit, subject: string, cost = 1): Promise<LimitVerdict> {
    const count = this.#countOf(limit, subject)
    while (!canSpend(count, limit, cost) && mayAsk(count)) {
      count.waiting += cost
      await (count.claiming ??= this.#claim(count, limit))
      count.waiting -= cost
    }
    const allowed = canSpend(count, limit, cost)
    if (allowed) spend(count, cost)
    this.#prefetch(count, limit)
    return {
      limit,
      allowed,
      remaining: remainingOf(count, limit),
      resetMs: Math.max(0, count.endsAt - performance.now()),
    }
  }

  /** Resolves when no statement of the limiter is under way. */
  async stop(): Promise<void> {
    for (const { claiming } of this.#counts.values()) await claiming
    await this.#sweeping
  }

  #countOf({ name, windowMs }: RequestLimit, subject: string): Count {
    const key = digest(`${name} ${subject}`)
    const known = this.#counts.get(key)
    const now = performance.now()
    if (known && (now < known.endsAt || known.claiming)) return known
    const count = { key, endsAt: now + windowMs, spent: 0, owed: 0, held: 0, waiting: 0 }
    const fresh: Count = { ...count, left: undefined, claiming: undefined }
    this.#counts.set(key, fresh)
    return fresh
  }

  /** When little is left of what is held, more is taken before somebody has to wait for it. */
  #prefetch(count: Count, limit: RequestLimit): void {
    if (count.claiming || count.left === undefined || count.left === 0) return
    const portion = portionOf(count, limit)
    if (portion >= MIN_AHEAD && count.held * 4 < portion) count.claiming = this.#claim(count, limit)
  }

  async #claim(count: Count, limit: RequestLimit): Promise<void> {
    const { owed } = count
    const wanted = Math.max(1, count.waiting, portionOf(count, limit))
    try {
      const claim = { key: count.key, limit: limit.limit, windowMs: limit.windowMs, owed, wanted }
      book(count, owed, await this.#claims.make(claim))
    } catch {
      // It was told. Nobody can say what the others let through: the whole limit, for this process, in this window.
      count.held = Math.max(0, limit.limit - count.spent)
      count.left = 0
    } finally {
      count.claiming = undefined
    }
    this.#sweep()
  }

  #sweep(): void {
    const now = performance.now()
    if (this.#sweeping || now - this.#sweptAt < SWEEP_EVERY_MS) return
    this.#sweptAt = now
    this.#sweeping = this.#deleteEnded()
      .catch(this.#deps.onError)
      .finally(() => (this.#sweeping = undefined))
  }

  async #deleteEnded(): Promise<void> {
    while ((await deleteEndedLimits(this.#deps.engine, SWEEP_BATCH)) === SWEEP_BATCH);
  }
}

/** @throws FleetPromptError `config_invalid` */
export function checkLimit({ name, limit, windowMs }: RequestLimit): void {
  const isLimit = Number.isInteger(limit) && limit >= 1 && limit <= 1_000_000_000
  const isWindow = Number.isInteger(windowMs) && windowMs >= 1_000 && windowMs <= DAY_MS
  if (NAME.test(name) && isLimit && isWindow) return
  throw new FleetPromptError(
    "config_invalid",
    `expected a limit with a name of small letters, digits and dashes, a limit from 1 to 1,000,000,000 and a windowMs from 1,000 to ${DAY_MS}, got ${JSON.stringify({ name, limit, windowMs })}`,
  )
}

/** No address and no id is kept in the database. */
function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22)
}

function unsharedOf({ limit }: RequestLimit): number {
  return Math.floor(limit / UNSHARED)
}

function canSpend({ held, left, spent }: Count, limit: RequestLimit, cost: number): boolean {
  if (cost === 0) return held > 0 || (left === undefined ? limit.limit > spent : left > 0)
  return held >= cost || (left === undefined && spent + cost <= unsharedOf(limit))
}

/** Whether the database may have more: it is being asked, was not asked yet, or had something left. */
function mayAsk({ left, endsAt, claiming }: Count): boolean {
  return claiming !== undefined || ((left === undefined || left > 0) && performance.now() < endsAt)
}

function spend(count: Count, cost: number): void {
  count.spent += cost
  if (count.held >= cost) count.held -= cost
  else count.owed += cost
}

/** Half as much as was spent so far, so that who asks little takes little. */
function portionOf({ spent, left }: Count, limit: RequestLimit): number {
  return Math.min(Math.max(1, Math.ceil(spent / 2)), Math.ceil((left ?? limit.limit) / PORTION))
}

function book(count: Count, owed: number, { granted, left, endsInMs }: LimitGrant): void {
  count.owed -= owed
  count.held += granted
  count.left = left
  count.endsAt = performance.now() + endsInMs
}

function remainingOf({ held, left, spent, owed }: Count, { limit }: RequestLimit): number {
  return left === undefined ? Math.max(0, limit - spent) : Math.max(0, held + left - owed)
}
