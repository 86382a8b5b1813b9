import { setImmediate as othersTurn } from "node:timers/promises"
import { appendAudit } from "../audit/append-audit.ts"
import type { AuditActor, AuditEntry } from "../audit/audit-entry.ts"
import { FleetPromptError } from "../errors.ts"
import { PLATFORM } from "../guard/slug.ts"
import { isUuid } from "../signal/id.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Database, Queryable, Transaction } from "../store/database.ts"
import {
  countDeadLetters,
  type DeadLetter,
  type DeadLetterBatch,
  type DeadLetterConditions,
  type DeadLetterKey,
  discardDeadLetters,
  redriveDeadLetters,
  type Redriven,
  selectDeadLetters,
} from "../store/dead-letters.ts"
import { type AttemptRecord, selectAttempts } from "../store/inspect.ts"
import type { Placements } from "../store/placements.ts"
import { selectSignals } from "../store/signals.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { type TenantDatabase, tenantDatabase } from "../store/within-tenant.ts"
import { actEntry, type RequestedBy } from "./act-entry.ts"
import { formatPlace, parsePlace } from "./dead-letter-cursor.ts"
import { conditionsOf, type DeadLetterFilter, filterDetails, NO_CONDITIONS, selectedBy } from "./dead-letter-filter.ts"

/** What a list shows. */
export interface DeadLetterListOptions extends DeadLetterFilter {
  /** How many, 1 to 500. Default 50. */
  readonly limit?: number
  /** Only behind this place: the `next` of the page before. */
  readonly after?: string
}

/** One page of a list, and where the next begins; null after the last. */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[]
  readonly next: string | null
}

/** Everything there is to know of a dead letter. */
export interface DeadLetterDetail {
  readonly letter: DeadLetter
  /** Undefined when retention took it. */
  readonly signal: StoredSignal | undefined
  /** Every attempt of the handler at the signal, in order. */
  readonly history: readonly Omit<AttemptRecord, "signalId" | "handler">[]
}

/** What a bulk action is checked against, who asks for it, and why. */
export interface BulkOptions extends RequestedBy {
  /** How many letters the caller counted. When there are more now, nothing is done. */
  readonly expected?: number
}

/** How letters are thrown away. */
export interface DiscardOptions extends BulkOptions {
  /** Who decided; the id is noted as the attempt's worker too, `operator` where nobody is named. */
  readonly by?: AuditActor
  /** Why; noted as the attempt's error message too. */
  readonly reason?: string
}

/** Deliveries of a tenant that were given up. */
export interface TenantDeadLetters {
  /** Newest first, by pages. @throws FleetPromptError `query_invalid`, `pattern_invalid` */
  readonly list: (options?: DeadLetterListOptions) => Promise<DeadLetterPage>
  /** One with its signal and attempts, or undefined. */
  readonly get: (signalId: string, handler: string) => Promise<DeadLetterDetail | undefined>
  /** How many there are. @throws FleetPromptError `query_invalid`, `pattern_invalid` */
  readonly count: (filter?: DeadLetterFilter) => Promise<number>
  /**
   * Puts letters back into the queue; their attempts begin anew. A bulk action takes those that were dead
   * when it began, in batches of 1,000 that each commit by themselves. The first batch commits with one entry of the
   * audit log, which has the filter and how many letters there are.
   *
   * @returns how many this call put back; letters that another call decided on are not among them.
   * @throws FleetPromptError `query_invalid`, `pattern_invalid`, `count_changed`
   * @example
   * const filter = { handler: "mail.send", errorCode: "handler_timeout" }
   * const expected = await tenant.deadLetters.count(filter)
   * await tenant.deadLetters.redrive(filter, { expected, by: { kind: "host", id: "ada@example.com" } })
   */
  readonly redrive: (which: DeadLetterFilter | DeadLetterKey, options?: BulkOptions) => Promise<number>
  /** Throws letters away, as `redrive` puts them back. Each gets a last attempt with the outcome `discarded`. */
  readonly discard: (which: DeadLetterFilter | DeadLetterKey, options?: DiscardOptions) => Promise<number>
}

/** What a tenant's dead letters need. */
export interface DeadLettersDeps {
  readonly database: Database
  readonly placements: Pick<Placements, "find">
  readonly announcer: Pick<Announcer, "delivered" | "enqueued">
}

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
/** Letters of one statement. */
const BATCH = 1_000

/** The dead letters of one tenant. */
export function openDeadLetters(slug: string, deps: () => DeadLettersDeps): TenantDeadLetters {
  const scoped = async () => {
    const { scope } = await deps().placements.find(slug)
    return { db: tenantDatabase(deps().database, scope), scope }
  }
  return Object.freeze({
    list: async (options: DeadLetterListOptions = {}) => {
      const { db, scope } = await scoped()
      return list(db, scope, options)
    },
    get: async (signalId: string, handler: string) => {
      const { db, scope } = await scoped()
      return isUuid(signalId) ? db.transaction((tx) => get(tx, scope, { signalId, handler })) : undefined
    },
    count: async (filter: DeadLetterFilter = {}) => {
      const { db, scope } = await scoped()
      return (await countDeadLetters(db, scope, conditionsOf(filter))).count
    },
    redrive: async (which: DeadLetterFilter | DeadLetterKey, options: BulkOptions = {}) => {
      const { db, scope } = await scoped()
      const { announcer } = deps()
      return inBatches<Redriven>(db, scope, which, options, {
        action: "dead_letter.redrive",
        decide: (tx, conditions, batch) => redriveDeadLetters(tx, scope, conditions, batch),
        announce: (redriven) => {
          announcer.enqueued(lanesOf(slug, redriven))
          for (const { signalId } of redriven) announcer.delivered(slug, signalId)
        },
      })
    },
    discard: async (which: DeadLetterFilter | DeadLetterKey, options: DiscardOptions = {}) => {
      const { db, scope } = await scoped()
      const { announcer } = deps()
      const note = { by: options.by?.id ?? "operator", reason: options.reason ?? null }
      return inBatches<DeadLetterKey>(db, scope, which, options, {
        action: "dead_letter.discard",
        decide: (tx, conditions, batch) => discardDeadLetters(tx, scope, conditions, batch, note),
        announce: (discarded) => {
          for (const { signalId } of discarded) announcer.delivered(slug, signalId)
        },
      })
    },
  })
}

async function list(
  db: Queryable,
  scope: TenantScope,
  { limit = DEFAULT_LIMIT, after, ...filter }: DeadLetterListOptions,
): Promise<DeadLetterPage> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw new FleetPromptError("query_invalid", `expected a whole number from 1 to ${MAX_LIMIT} as limit`)
  const page = { limit, after: after === undefined ? null : parsePlace(after) }
  const letters = await selectDeadLetters(db, scope, conditionsOf(filter), page)
  const last = letters.at(-1)
  return { letters, next: last && letters.length === limit ? formatPlace(last) : null }
}

async function get(db: Queryable, scope: TenantScope, key: DeadLetterKey): Promise<DeadLetterDetail | undefined> {
  const conditions = { ...NO_CONDITIONS, ...key }
  const [letter] = await selectDeadLetters(db, scope, conditions, { limit: 1, after: null })
  if (!letter) return undefined
  const [signal] = await selectSignals(db, scope, [key.signalId])
  const attempts = await selectAttempts(db, scope, [key.signalId])
  const history = attempts
    .filter(({ handler }) => handler === key.handler)
    .map(({ signalId: _, handler: __, ...attempt }) => attempt)
  return { letter, signal, history }
}

/** What is decided on letters. */
interface Decision<Letter> {
  readonly action: "dead_letter.redrive" | "dead_letter.discard"
  /** On a batch of them, within a transaction. */
  readonly decide: (
    tx: Transaction,
    conditions: DeadLetterConditions,
    batch: DeadLetterBatch,
  ) => Promise<readonly Letter[]>
  /** Tells of a batch, after its commit. */
  readonly announce: (decided: readonly Letter[]) => void
}

/**
 * Takes the letters that were dead at the start, in the order of their signals. Each batch begins behind the
 * one before, so letters that die again meanwhile are not met again. The embedded database works in this
 * process, so between two batches others have their turn. The audit entry comes with the first batch: a process that
 * goes away between two leaves nothing done without one.
 */
async function inBatches<Letter extends DeadLetterKey>(
  db: TenantDatabase,
  scope: TenantScope,
  which: DeadLetterFilter | DeadLetterKey,
  { expected, ...request }: BulkOptions,
  { action, decide, announce }: Decision<Letter>,
): Promise<number> {
  const conditions = selectedBy(which)
  const { count, countedBefore } = await countDeadLetters(db, scope, conditions)
  if (expected !== undefined && count > expected) throw countChanged(expected, count)
  const bounded = { ...conditions, to: earlier(conditions.to, countedBefore) }
  let done = 0
  let after: DeadLetterKey | null = null
  while (done < count) {
    const batch = { after, limit: Math.min(BATCH, count - done) }
    const isFirst = after === null
    const decided = await db.transaction(async (tx) => {
      const letters = await decide(tx, bounded, batch)
      // Of one batch it is known how many it took; of several, how many there are.
      const noted = count > BATCH ? count : letters.length
      if (isFirst && letters.length > 0) await noteDecision(tx, scope, entryOf(action, which, noted, request))
      return letters
    })
    announce(decided)
    after = decided.at(-1) ?? null
    done += decided.length
    if (!after) break
    await othersTurn()
  }
  return done
}

/** What is decided on the platform's own letters is part of something that stands in the platform's log. */
async function noteDecision(tx: Transaction, scope: TenantScope, entry: AuditEntry): Promise<void> {
  if (scope.slug !== PLATFORM) await appendAudit(tx, scope, [entry])
}

function entryOf(
  action: string,
  which: DeadLetterFilter | DeadLetterKey,
  count: number,
  request: RequestedBy,
): AuditEntry {
  if ("signalId" in which)
    return actEntry(action, `dead_letter:${which.signalId.toLowerCase()}/${which.handler}`, request)
  return actEntry(action, "dead_letter:*", request, { filter: filterDetails(which), count })
}

/** Times may have any offset and more digits than a Date has. When both are in one millisecond, the count's is exact enough. */
function earlier(given: string | null, countedBefore: string): string {
  return given !== null && Date.parse(given) < Date.parse(countedBefore) ? given : countedBefore
}

function lanesOf(tenant: string, deliveries: readonly { readonly handler: string; readonly priority: number }[]) {
  const lanes = new Map(
    deliveries.map(({ handler, priority }) => [`${handler} ${priority}`, { handler, tenant, priority }]),
  )
  return [...lanes.values()]
}

function countChanged(expected: number, count: number): FleetPromptError {
  return new FleetPromptError(
    "count_changed",
    `expected at most ${expected} dead letters, there are ${count} now; look at them and count again`,
  )
}
