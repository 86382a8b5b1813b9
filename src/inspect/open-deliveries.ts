import { FleetPromptError } from "../errors.ts"
import { isUuid } from "../signal/id.ts"
import type { Visibility } from "../signal/stored-signal.ts"
import type { Queryable } from "../store/database.ts"
import { type OpenDelivery, type OpenDeliveryFilter, selectOpenDeliveries } from "../store/open-deliveries.ts"
import type { TenantScope } from "../store/tenant-scope.ts"

/** Which open deliveries a list shows. */
export interface OpenDeliveryListOptions {
  /** Only this handler's. */
  readonly handler?: string
  /** How many, 1 to 500. Default 100. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly after?: string
  /** What the reader may see. */
  readonly visibilities: readonly Visibility[]
}

/** One page of a list, and where the next begins; null after the last. */
export interface OpenDeliveryPage {
  readonly deliveries: readonly OpenDelivery[]
  readonly next: string | null
}

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 500

/** A tenant's deliveries that are to be done, by the age of their signals. @throws FleetPromptError `query_invalid` */
export async function listOpenDeliveries(
  db: Queryable,
  scope: TenantScope,
  { handler, limit = DEFAULT_LIMIT, after, visibilities }: OpenDeliveryListOptions,
): Promise<OpenDeliveryPage> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw invalid(`a whole number from 1 to ${MAX_LIMIT} as limit`)
  const from = after === undefined ? null : parsePlace(after)
  const filter = { handler: handler ?? null, after: from, limit, visibilities }
  const deliveries = await selectOpenDeliveries(db, scope, filter)
  const last = deliveries.at(-1)
  return { deliveries, next: last && deliveries.length === limit ? formatPlace(last) : null }
}

/** Writes where a list goes on as one opaque word. */
function formatPlace({ signalId, handler }: OpenDelivery): string {
  return Buffer.from(`${signalId} ${handler}`).toString("base64url")
}

function parsePlace(cursor: string): NonNullable<OpenDeliveryFilter["after"]> {
  const [signalId = "", handler = "", ...rest] = Buffer.from(cursor, "base64url").toString().split(" ")
  if (isUuid(signalId) && handler !== "" && !handler.includes("\u0000") && rest.length === 0)
    return { signalId, handler }
  throw invalid("the next of an earlier page as after")
}

function invalid(expected: string): FleetPromptError {
  return new FleetPromptError("query_invalid", `expected ${expected}, got something else; correct it`)
}
