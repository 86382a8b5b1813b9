/** Where a delivery stands. */
export type DeliveryStatus = "waiting" | "running" | "retrying" | "done" | "cancelled" | "dead"

/** One handler's delivery of a signal, as a list has it. */
export interface DeliveryRow {
  readonly handler: string
  readonly status: DeliveryStatus
  readonly attempts: number
  readonly nextAttemptAt: string | null
  readonly error: string | null
}

/** A signal in the list. */
export interface SignalRow {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly time: string
  readonly correlationId: string
  readonly causationId: string | null
  readonly redacted: boolean
  readonly deliveries: readonly DeliveryRow[]
}

/** A page of the list; `next` leads to the older one. */
export interface SignalPage {
  readonly signals: readonly SignalRow[]
  readonly next: string | null
}

/** What the head of the page shows. */
export interface Summary {
  readonly tenant: string
  readonly database: "embedded" | "server"
  readonly signals: number
  readonly duplicates?: number
  readonly deliveries: Readonly<Record<DeliveryStatus, number>>
}

/** One try of a delivery. */
export interface Attempt {
  readonly attempt: number
  readonly outcome: "done" | "failed" | "snoozed" | "cancelled" | "dead" | "lost" | "discarded"
  readonly startedAt: string
  readonly finishedAt: string
  readonly worker: string
  readonly error: { readonly name?: string; readonly message?: string } | null
}

/** A delivery with its attempts. */
export interface DeliveryDetail extends DeliveryRow {
  readonly history: readonly Attempt[]
}

/** A signal in a causal chain. */
export interface SignalBrief {
  readonly id: string
  readonly type: string
  readonly subject: string | null
  readonly time: string
  /** The handler that emitted it, or null when it came from outside. */
  readonly handler: string | null
}

/** A signal and what it caused. */
export interface EffectNode extends SignalBrief {
  readonly effects: readonly EffectNode[]
}

/** The attributes of a CloudEvent that the page names; there may be more. */
interface CloudEvent {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly time: string
  readonly subject?: string
  readonly data?: unknown
  readonly [extension: string]: unknown
}

/** What was replaced by a marker before the signal was stored. */
export interface Redaction {
  readonly path: string
  readonly rule: string
}

/** What the platform knows of a signal besides its content. */
interface Metadata {
  readonly correlation_id?: string
  readonly causation_id?: string | null
  readonly redactions?: readonly Redaction[]
  readonly [name: string]: unknown
}

/** Everything about one signal. */
export interface SignalDetail {
  readonly signal: CloudEvent
  readonly metadata: Metadata
  readonly visibility: string
  readonly dedupeKey: string | null
  readonly sourceEventId: string | null
  readonly insertedAt?: string
  readonly deliveries: readonly DeliveryDetail[]
  readonly ancestors: readonly SignalBrief[]
  readonly effects: readonly EffectNode[]
}

/** Which page of the list is asked for. */
export interface PageRequest {
  readonly pattern: string | null
  readonly before?: string
  readonly limit: number
  readonly abort: AbortSignal
}

const TIMEOUT_MS = 15_000

/** A request that did not bring what it asked for. `code` is the problem's, or `unreachable`. */
export class ApiError extends Error {
  override readonly name = "ApiError"
  readonly status: number
  readonly code: string
  readonly title: string

  constructor(problem: { status: number; code: string; title: string; detail: string }) {
    super(problem.detail)
    this.status = problem.status
    this.code = problem.code
    this.title = problem.title
  }
}

/** Reads one page of signals, newest first. @throws ApiError */
export function fetchSignals({ pattern, before, limit, abort }: PageRequest): Promise<SignalPage> {
  const query = new URLSearchParams({ limit: String(limit) })
  if (before !== undefined) query.set("before", before)
  if (pattern !== null) query.set("pattern", pattern)
  return readJson<SignalPage>(`/v1/signals?${query}`, abort)
}

/** Reads one signal. @throws ApiError with status 404 when the tenant has none with this id */
export function fetchSignal(id: string, abort: AbortSignal): Promise<SignalDetail> {
  return readJson<SignalDetail>(`/v1/signals/${encodeURIComponent(id)}`, abort)
}

/** Reads the numbers of the head. @throws ApiError */
export function fetchSummary(abort: AbortSignal): Promise<Summary> {
  return readJson<Summary>("/v1/summary", abort)
}

/** Address of the live feed. */
export function liveAddress(pattern: string | null): string {
  return pattern === null ? "/v1/signals/live" : `/v1/signals/live?${new URLSearchParams({ pattern })}`
}

/** Whether a request ended because it was no longer wanted. */
export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError"
}

async function readJson<Body>(address: string, abort: AbortSignal): Promise<Body> {
  const response = await request(address, abort)
  if (!response.ok) throw new ApiError(await readProblem(response))
  // The page and the answers come from one server of one release, which types what it sends by the same contract.
  return (await response.json()) as Body
}

async function request(address: string, abort: AbortSignal): Promise<Response> {
  const headers = { accept: "application/json" }
  try {
    return await fetch(address, { headers, signal: AbortSignal.any([abort, AbortSignal.timeout(TIMEOUT_MS)]) })
  } catch (error) {
    if (isAborted(error)) throw error
    throw new ApiError({
      status: 0,
      code: "unreachable",
      title: "The server does not answer",
      detail: "Check that the FleetPrompt process is running and that this machine reaches it.",
    })
  }
}

async function readProblem(response: Response): Promise<ConstructorParameters<typeof ApiError>[0]> {
  const body: unknown = await response.json().catch(() => null)
  const problem: Readonly<Record<string, unknown>> = typeof body === "object" && body !== null ? { ...body } : {}
  return {
    status: response.status,
    code: textOr(problem["code"], `http_${response.status}`),
    title: textOr(problem["title"], `The server answered ${response.status}`),
    detail: textOr(problem["detail"], "The server's log says more."),
  }
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === "string" && value !== "" ? value : fallback
}
