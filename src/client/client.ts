import { type ErrorCode, FleetPromptError } from "../errors.ts"
import { type LiveEvent, liveEvents } from "./live-events.ts"
import { type ApiOperations, operations } from "./operations.ts"

/** How a client calls. */
export interface ClientOptions {
  /** Where the server is: `https://fleet.example.com`. */
  readonly baseUrl: string
  /** An API key. Default: none, for a page of the server itself, whose session the browser sends. */
  readonly apiKey?: string
  /** Default: that of the platform. */
  readonly fetch?: (request: Request) => Promise<Response>
  /** How often a call is tried again that may be repeated: after 429, 503, or when no answer came. Default 3. */
  readonly retries?: number
  /** How long one try may take, milliseconds. Default 30,000. */
  readonly timeoutMs?: number
  /** Waits between tries. Default: a timer. */
  readonly sleep?: (ms: number) => Promise<void>
}

/** What may be said with every call. */
export interface CallOptions {
  /** Ends the call. */
  readonly abort?: AbortSignal
  /** Makes the call safe to repeat, where the operation takes one. Default: a new one, so that retries do no harm. */
  readonly idempotencyKey?: string
}

/** What an operation takes. */
export type CallInput<Name extends keyof ApiOperations> = Omit<ApiOperations[Name], "answer"> & CallOptions

/** What an operation answers. */
export type CallAnswer<Name extends keyof ApiOperations> = ApiOperations[Name]["answer"]

/** A function for each operation of the API. Each throws FleetPromptError with the code that the server answered. */
export type Client = {
  readonly [Name in keyof ApiOperations]: (
    ...input: object extends CallInput<Name> ? [input?: CallInput<Name>] : [input: CallInput<Name>]
  ) => Promise<CallAnswer<Name>>
} & ClientReading

/** Reading what goes on. */
export interface ClientReading {
  /**
   * All pages of a list, one after the other, fetched as they are taken.
   *
   * @example
   * for await (const { signals } of client.pages("listSignals", { query: { pattern: "lead.**" } })) console.log(signals.length)
   */
  readonly pages: <Name extends keyof ApiOperations>(
    name: Name,
    input?: CallInput<Name>,
  ) => AsyncGenerator<CallAnswer<Name>>
  /**
   * New signals and what comes of them, until it is ended; it connects again by itself and resumes. Rows may come twice.
   *
   * @example
   * for await (const { event, data } of client.live({ pattern: "lead.**" })) console.log(event, data)
   */
  readonly live: (options?: LiveOptions) => AsyncGenerator<LiveEvent>
}

/** What a live feed shows. */
export interface LiveOptions {
  /** Only types that fit. */
  readonly pattern?: string
  /** Goes on behind the last signal that was seen. */
  readonly lastEventId?: string
  /** Ends it. */
  readonly abort?: AbortSignal
}

const DEFAULT_RETRIES = 3
const DEFAULT_TIMEOUT_MS = 30_000
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 10_000
const WORTH_RETRYING: ReadonlySet<number> = new Set([429, 503])

type Name = keyof ApiOperations
/** Any operation's input, as the code below takes it apart. */
interface AnyInput extends CallOptions {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly body?: unknown
  readonly contentType?: string
}

/**
 * A client of the HTTP API, for Node.js and browsers.
 *
 * @example
 * const client = createClient({ baseUrl: "https://fleet.example.com", apiKey: process.env.FLEETPROMPT_API_KEY })
 * const { id } = await client.emitSignal({ body: { type: "lead.received", data: { leadId: "123" } } })
 */
export function createClient(options: ClientOptions): Client {
  const call =
    (name: Name) =>
    (input: AnyInput = {}) =>
      request(name, input, options)
  const names = Object.keys(operations) as readonly Name[]
  const functions = Object.fromEntries(names.map((name) => [name, call(name)]))
  const reading = {
    pages: (name: Name, input: AnyInput = {}) => pages(name, input, call(name)),
    live: (live: LiveOptions = {}) =>
      liveEvents(live, (lastEventId) => {
        const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId }
        const query = live.pattern === undefined ? {} : { pattern: live.pattern }
        return send("openLiveFeed", { query, ...(live.abort && { abort: live.abort }) }, options, headers)
      }),
  }
  // The table of operations and the types of the functions are made from the same document.
  return Object.freeze({ ...functions, ...reading }) as unknown as Client
}

async function* pages(name: Name, input: AnyInput, call: (input: AnyInput) => Promise<unknown>): AsyncGenerator {
  const [, , cursor] = operations[name]
  let place: unknown = input.query?.[cursor ?? ""]
  do {
    const query = { ...input.query, ...(cursor !== null && place !== undefined && { [cursor]: place }) }
    const page = await call({ ...input, query })
    yield page
    // Each page says where the next one begins.
    place = (page as { readonly next?: unknown }).next ?? undefined
    if (cursor === null) return
  } while (place !== undefined)
}

async function request(name: Name, input: AnyInput, options: ClientOptions): Promise<unknown> {
  const [method, , , hasKey] = operations[name]
  const key = hasKey ? { "idempotency-key": input.idempotencyKey ?? crypto.randomUUID() } : {}
  const isRepeatable = method === "GET" || method === "PUT" || method === "DELETE" || hasKey
  const { retries = DEFAULT_RETRIES, timeoutMs = DEFAULT_TIMEOUT_MS, sleep = timer } = options
  for (let tried = 0; ; tried++) {
    const isLast = !isRepeatable || tried >= retries
    const abort = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(input.abort ? [input.abort] : [])])
    const response = await attempt(send(name, { ...input, abort }, options, key), isLast, input.abort)
    if (response && (isLast || !WORTH_RETRYING.has(response.status))) return answerOf(response)
    await sleep(pauseMs(response, tried))
  }
}

/** The answer, or undefined when none came and the call is to be tried again. */
async function attempt(
  sent: Promise<Response>,
  isLast: boolean,
  abort: AbortSignal | undefined,
): Promise<Response | undefined> {
  try {
    return await sent
  } catch (error) {
    if (isLast || abort?.aborted) throw error
    return undefined
  }
}

function pauseMs(response: Response | undefined, tried: number): number {
  const asked = Number(response?.headers.get("retry-after") ?? Number.NaN) * 1_000
  const grown = FIRST_PAUSE_MS * 2 ** tried * (0.5 + Math.random())
  return Math.min(LONGEST_PAUSE_MS, Number.isFinite(asked) ? asked : grown)
}

function timer(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms))
}

function send(
  name: Name,
  { params = {}, query = {}, body, contentType, abort }: AnyInput,
  { baseUrl, apiKey, fetch: ask = fetch }: ClientOptions,
  more: Readonly<Record<string, string>>,
): Promise<Response> {
  const [method, path] = operations[name]
  const url = new URL(
    path.replaceAll(/\{(\w+)\}/g, (_, field: string) => encodeURIComponent(params[field] ?? "")),
    baseUrl,
  )
  for (const [field, value] of Object.entries(query))
    if (value !== undefined) url.searchParams.set(field, String(value))
  const headers = {
    ...more,
    ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    ...(body !== undefined && { "content-type": contentType ?? "application/json" }),
  }
  const text = contentType === undefined ? JSON.stringify(body) : String(body)
  return ask(
    new Request(url, { method, headers, ...(body !== undefined && { body: text }), ...(abort && { signal: abort }) }),
  )
}

async function answerOf(response: Response): Promise<unknown> {
  if (!response.ok) throw await errorOf(response)
  if (response.status === 204) return undefined
  return response.headers.get("content-type")?.startsWith("application/json") ? response.json() : response
}

/** What the server refused, with its code. */
async function errorOf(response: Response): Promise<Error> {
  const problem: unknown = await response.json().catch(() => undefined)
  // Problem details have these fields.
  const { code, detail, path } = (problem ?? {}) as {
    readonly code?: ErrorCode
    readonly detail?: string
    readonly path?: string
  }
  if (code === undefined)
    return new Error(`expected an answer of FleetPrompt, got status ${response.status}; check the address`)
  return new FleetPromptError(code, detail ?? code, path === undefined ? {} : { path })
}
