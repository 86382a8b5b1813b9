import { FleetPromptError } from "../errors.ts"
import { typeExpression } from "../inspect/type-expression.ts"
import type { JsonValue } from "../signal/json.ts"
import { isTime } from "../signal/time.ts"
import { type AuditConditions, detailsOf, type RawAuditRow, selectAuditPage } from "../store/audit-log.ts"
import { type LogScope, type ReaderDeps, readLog } from "./verify-audit.ts"

/** Which entries: those that meet every condition. */
export interface AuditFilter {
  /** Id of who did it. */
  readonly actor?: string
  readonly actorKind?: string
  /** Pattern of actions: `member.**`. */
  readonly action?: string
  /** To what it was done: `member:0198…`; with `:*` at its end all of that type. */
  readonly resource?: string
  readonly outcome?: "done" | "denied" | "failed"
  readonly correlationId?: string
  /** Happened at this time or later, RFC 3339. */
  readonly from?: string
  /** Happened before this time, RFC 3339. */
  readonly to?: string
}

/** What a list shows. */
export interface AuditListOptions extends AuditFilter {
  /** How many, 1 to 500. Default 50. */
  readonly limit?: number
  /** Only entries before this position: the `next` of the page before. */
  readonly before?: number
}

/** An entry of an audit log. */
export interface LoggedAuditEntry {
  /** Its place in the log: 1 and on, without a gap. */
  readonly position: number
  readonly id: string
  /** RFC 3339 with microseconds, by the database's clock. */
  readonly occurredAt: string
  readonly actor: { readonly kind: string; readonly id: string; readonly role: string | null }
  readonly action: string
  readonly resource: string
  readonly outcome: "done" | "denied" | "failed"
  readonly details: JsonValue
  readonly correlationId: string | null
  /** SHA-256, 64 hex digits. */
  readonly hash: string
}

/** One page of a list, newest first, and where the next begins; null after the last. */
export interface AuditPage {
  readonly entries: readonly LoggedAuditEntry[]
  readonly next: number | null
}

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
const OUTCOMES: ReadonlySet<string> = new Set(["done", "denied", "failed"])
const OPTIONS: ReadonlySet<string> = new Set([
  "actor",
  "actorKind",
  "action",
  "resource",
  "outcome",
  "correlationId",
  "from",
  "to",
  "limit",
  "before",
])

/** @throws FleetPromptError `query_invalid`, `pattern_invalid` */
export async function listAudit(
  scope: LogScope,
  { database }: ReaderDeps,
  options: AuditListOptions,
): Promise<AuditPage> {
  const { limit = DEFAULT_LIMIT, before = null } = options
  const conditions = conditionsOf(options)
  if (!isCount(limit) || limit > MAX_LIMIT) throw invalid(`expected a whole number from 1 to ${MAX_LIMIT} as limit`)
  if (before !== null && !isCount(before)) throw invalid("expected the next of a page before as before")
  const rows = await readLog(database, scope, (tx) => selectAuditPage(tx, scope, conditions, { limit, before }))
  const last = rows.at(-1)
  return { entries: rows.map(entryOf), next: last && rows.length === limit ? last.position : null }
}

function conditionsOf(options: AuditListOptions): AuditConditions {
  const unknown = Object.keys(options).find((key) => !OPTIONS.has(key))
  if (unknown !== undefined) throw invalid(`expected ${[...OPTIONS].join(", ")}, got ${unknown.slice(0, 50)}`)
  const { actor, actorKind, action, resource, outcome, correlationId, from, to } = options
  if (outcome !== undefined && !OUTCOMES.has(outcome)) throw invalid("expected done, denied or failed as outcome")
  for (const time of [from, to])
    if (time !== undefined && !isTime(time)) throw invalid("expected times such as 2026-01-31T12:00:00Z as from and to")
  const isPrefix = resource?.endsWith(":*") ?? false
  return {
    actorId: actor ?? null,
    actorKind: actorKind ?? null,
    actionExpression: action === undefined ? null : typeExpression(action),
    resource: isPrefix ? null : (resource ?? null),
    resourcePrefix: isPrefix ? (resource?.slice(0, -1) ?? null) : null,
    outcome: outcome ?? null,
    correlationId: correlationId ?? null,
    from: from ?? null,
    to: to ?? null,
  }
}

function entryOf(row: RawAuditRow): LoggedAuditEntry {
  const { position, id, occurredAt, actorKind, actorId, actorRole, action, resource, outcome, correlationId, hash } =
    row
  return {
    position,
    id,
    occurredAt,
    actor: { kind: actorKind, id: actorId, role: actorRole },
    action,
    resource,
    outcome,
    details: detailsOf(row),
    correlationId,
    hash,
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1
}

function invalid(message: string): FleetPromptError {
  return new FleetPromptError("query_invalid", message)
}
