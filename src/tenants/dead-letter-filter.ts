import { FleetPromptError } from "../errors.ts"
import { typeExpression } from "../inspect/type-expression.ts"
import { isUuid } from "../signal/id.ts"
import type { JsonObject } from "../signal/json.ts"
import type { DeadLetterConditions, DeadLetterKey } from "../store/dead-letters.ts"
import { checkTime } from "./check-time.ts"

/** Which dead letters: those that meet every condition. */
export interface DeadLetterFilter {
  readonly handler?: string
  /** Pattern of the signals' types: `order.**`. */
  readonly type?: string
  /** Name of the last error: `TypeError`. */
  readonly errorName?: string
  /** Code of the last error: `handler_timeout`. */
  readonly errorCode?: string
  /** Died at this time or later, RFC 3339. */
  readonly from?: string
  /** Died before this time, RFC 3339. */
  readonly to?: string
  /** Says that a bulk action without any condition is meant. */
  readonly all?: true
}

/** Asks for every letter. */
export const NO_CONDITIONS: DeadLetterConditions = {
  signalId: null,
  handler: null,
  typeExpression: null,
  errorName: null,
  errorCode: null,
  from: null,
  to: null,
}
const FILTER_KEYS: ReadonlySet<string> = new Set(["handler", "type", "errorName", "errorCode", "from", "to", "all"])

/**
 * The letters of a bulk action.
 *
 * @throws FleetPromptError `query_invalid`, `pattern_invalid`
 */
export function selectedBy(which: DeadLetterFilter | DeadLetterKey): DeadLetterConditions {
  if ("signalId" in which) {
    const { signalId, handler } = which
    if (!isUuid(signalId) || typeof handler !== "string")
      throw invalid("expected the id of a signal and the name of a handler for one dead letter")
    return { ...NO_CONDITIONS, signalId, handler }
  }
  const conditions = conditionsOf(which)
  if (which.all !== true && Object.values(conditions).every((value) => value === null))
    throw invalid("expected a condition, got none; pass { all: true } when every dead letter is meant")
  return conditions
}

/**
 * A filter as the store takes it.
 *
 * @throws FleetPromptError `query_invalid`, `pattern_invalid`
 */
export function conditionsOf(filter: DeadLetterFilter): DeadLetterConditions {
  const unknown = Object.keys(filter).find((key) => !FILTER_KEYS.has(key))
  if (unknown !== undefined) throw invalid(`expected ${[...FILTER_KEYS].join(", ")} in a filter, got ${unknown}`)
  const { handler, type, errorName, errorCode, from, to } = filter
  checkTime("from", from)
  checkTime("to", to)
  return {
    signalId: null,
    handler: handler ?? null,
    typeExpression: type === undefined ? null : typeExpression(type),
    errorName: errorName ?? null,
    errorCode: errorCode ?? null,
    from: from ?? null,
    to: to ?? null,
  }
}

/** A filter's conditions as the audit log keeps them. */
export function filterDetails(filter: DeadLetterFilter): JsonObject {
  const { all: _, ...conditions } = filter
  return Object.fromEntries(Object.entries(conditions).filter(([, value]) => value !== undefined))
}

function invalid(message: string): FleetPromptError {
  return new FleetPromptError("query_invalid", message)
}
