import { FleetPromptError } from "../errors.ts"
import type { FanOutRoutes } from "../emit/fan-out.ts"
import { typeExpression } from "../inspect/type-expression.ts"
import { isUuid } from "../signal/id.ts"
import type { SignalSelection } from "../store/replay-signals.ts"
import type { ReplayOrder } from "../store/replays.ts"
import { checkTime } from "./check-time.ts"

/** Which signals of a tenant a replay takes: those that meet every condition, and all when there is none. */
export interface ReplayFilter {
  /** Pattern of their types: `order.**`. */
  readonly pattern?: string
  /** They happened at this time or later, RFC 3339. */
  readonly from?: string
  /** They happened before this time, RFC 3339. */
  readonly to?: string
  /** What they are about: `order:42`. */
  readonly subject?: string
  readonly correlationId?: string
  /** Where they happened: `webhook:github`. */
  readonly source?: string
}

/** How a replay is carried out. */
export interface ReplayRequestOptions {
  /** Only this handler, where it fits. Default: every handler that fits. */
  readonly handler?: string
  /** Runs handlers again whose last attempt succeeded. Default false. */
  readonly force?: boolean
  /** Signals a second, at most, of which something is run: 1 to 10,000. Default 100. */
  readonly perSecond?: number
  /** Deliveries of the replay that may be in the queue at once: 1 to 10,000. Default 1,000. */
  readonly maxOpen?: number
  /** Why, for people. */
  readonly reason?: string
}

/** What to replay: one signal, or those that a filter finds; and how. */
export type ReplayRequest = ReplayRequestOptions &
  (
    | { readonly signalId: string; readonly filter?: undefined }
    | { readonly filter: ReplayFilter; readonly signalId?: undefined }
  )

const DEFAULT_PER_SECOND = 100
const DEFAULT_MAX_OPEN = 1_000
const MAX_RATE = 10_000
const CONDITIONS: ReadonlySet<string> = new Set(["pattern", "from", "to", "subject", "correlationId", "source"])

/**
 * Checks a request and fills in the defaults.
 *
 * @throws FleetPromptError `query_invalid`, `pattern_invalid`, `handler_unknown`
 */
export function checkRequest(
  request: ReplayRequest,
  {
    snapshot,
    role,
    tenant,
    routes,
  }: {
    readonly snapshot: string
    readonly role: string
    readonly tenant: string
    readonly routes: Pick<FanOutRoutes, "has">
  },
): ReplayOrder {
  const { handler = null, force = false, perSecond = DEFAULT_PER_SECOND, maxOpen = DEFAULT_MAX_OPEN } = request
  checkRate("perSecond", perSecond)
  checkRate("maxOpen", maxOpen)
  if (handler !== null) checkHandler(tenant, handler, routes)
  const pattern = request.filter?.pattern ?? null
  return { selection: selectionOf(request, snapshot), pattern, handler, force, perSecond, maxOpen, role }
}

function selectionOf({ signalId, filter }: ReplayRequest, snapshot: string): SignalSelection {
  if ((signalId === undefined) === (filter === undefined))
    throw invalid("expected either signalId or filter, got both or none; an empty filter takes every signal")
  if (signalId !== undefined && !isUuid(signalId)) throw invalid("expected the id of a signal as signalId")
  const { pattern, from, to, subject, correlationId, source } = filter ?? {}
  const unknown = Object.keys(filter ?? {}).find((key) => !CONDITIONS.has(key))
  if (unknown !== undefined) throw invalid(`expected ${[...CONDITIONS].join(", ")} in a filter, got ${unknown}`)
  checkTime("from", from)
  checkTime("to", to)
  return {
    signalId: signalId ?? null,
    typeExpression: pattern === undefined ? null : typeExpression(pattern),
    from: from ?? null,
    to: to ?? null,
    subject: subject ?? null,
    correlationId: correlationId ?? null,
    source: source ?? null,
    snapshot,
  }
}

function checkRate(option: string, value: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= MAX_RATE) return
  throw invalid(`expected a whole number from 1 to ${MAX_RATE} as ${option}, got ${String(value)}`)
}

function checkHandler(tenant: string, name: string, routes: Pick<FanOutRoutes, "has">): void {
  if (routes.has(tenant, name)) return
  throw new FleetPromptError(
    "handler_unknown",
    `expected the name of a handler of this process, got "${name}"; start the replay where the handler is defined`,
  )
}

function invalid(message: string): FleetPromptError {
  return new FleetPromptError("query_invalid", message)
}
