import { createHash } from "node:crypto"
import { createRequire } from "node:module"
import { FleetPromptError } from "../errors.ts"
import { type Answer, type Clock, postExample, systemClock } from "./post-example.ts"

/** One of the payloads that GitHub publishes, with what its delivery needs. */
export interface Example {
  /** Name of the event, such as `issues`. */
  readonly event: string
  /** The payload's action, such as `opened`. */
  readonly action: string | null
  /** A UUID made of the event, its place in the list and the round: the same each time. */
  readonly deliveryId: string
  /** The payload as JSON text in UTF-8. */
  readonly body: Uint8Array
}

/** How `loadExamples` works. */
export interface LoadOptions {
  /** How often the whole set is repeated, each time under new delivery ids. Default 1, at most 1,000. */
  readonly rounds?: number
  /** Loads a package. Default: from where this program finds its own. */
  readonly load?: (name: string) => unknown
}

const PACKAGE = "@octokit/webhooks-examples"
const MAX_ROUNDS = 1_000

/**
 * The payloads of `@octokit/webhooks-examples`: one of nearly each kind that GitHub sends. They come
 * in a mixed order, the same each time, because the package has all of one kind in a row.
 *
 * @throws FleetPromptError `config_invalid` when the package is not installed
 * @example
 * const examples = await loadExamples() // 329
 */
export async function loadExamples(options: LoadOptions = {}): Promise<readonly Example[]> {
  const { rounds = 1, load = createRequire(import.meta.url) } = options
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > MAX_ROUNDS) {
    throw invalid(`a whole number from 1 to ${MAX_ROUNDS}`, "rounds")
  }
  const kinds = readKinds(loadPackage(load))
  return Array.from({ length: rounds }, (_, round) => exampleRound(kinds, round)).flat()
}

interface Kind {
  readonly name: string
  readonly payloads: readonly { readonly action: string | null; readonly body: Uint8Array }[]
}

function loadPackage(load: (name: string) => unknown): unknown {
  try {
    return load(PACKAGE)
  } catch (cause) {
    throw new FleetPromptError(
      "config_invalid",
      `expected the package ${PACKAGE}, whose payloads are fed, got none; install it: npm install --save-dev ${PACKAGE}`,
      { cause },
    )
  }
}

function readKinds(list: unknown): readonly Kind[] {
  if (!Array.isArray(list)) throw new FleetPromptError("config_invalid", `expected a list of events in ${PACKAGE}`)
  return list.map(({ name, examples }: { readonly name: string; readonly examples: readonly object[] }) => ({
    name,
    payloads: examples.map((payload) => ({
      action: "action" in payload && typeof payload.action === "string" ? payload.action : null,
      body: new TextEncoder().encode(JSON.stringify(payload)),
    })),
  }))
}

/** The ids are hashes, so their order is a mixed one. */
function exampleRound(kinds: readonly Kind[], round: number): readonly Example[] {
  return kinds
    .flatMap(({ name, payloads }) =>
      payloads.map((payload, index) => ({ event: name, deliveryId: deliveryIdOf(name, index, round), ...payload })),
    )
    .toSorted((a, b) => (a.deliveryId < b.deliveryId ? -1 : 1))
}

/** RFC 9562 section 5.8: a UUID of one's own making, version 8. */
function deliveryIdOf(event: string, index: number, round: number): string {
  const bytes = createHash("sha256").update(`${event}/${index}/${round}`).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")
}

/** How far a feed is. */
export interface FeedProgress {
  /** Requests that were answered for good: stored, duplicates and refused together. */
  readonly sent: number
  readonly stored: number
  /** Events that the server had already, a repeated request whose first answer was lost among them. */
  readonly duplicates: number
  readonly refused: number
}

/** An event that the server would not take. */
interface Refusal {
  /** HTTP status; 0 when nothing answered. */
  readonly status: number
  /** The server's reason. */
  readonly detail: string
}

/** What came of a feed. */
export interface FeedReport extends Omit<FeedProgress, "refused"> {
  readonly refused: readonly Refusal[]
}

/** What `feedGithub` reads. */
export interface FeedOptions {
  /** Address of the webhook route: `http://127.0.0.1:3000/v1/webhooks/github`. */
  readonly url: string
  /** The secret that the route's source was given. */
  readonly secret: string
  readonly examples: readonly Example[]
  /** Events a second, evenly spaced. Default: as fast as they are answered. */
  readonly ratePerSecond?: number
  /** How many requests may be under way at once. Default 8. */
  readonly concurrency?: number
  /** Ends the feed; requests under way are given up. */
  readonly abort: AbortSignal
  /** Called after each answer. */
  readonly onProgress?: (progress: FeedProgress) => void
  /** Default: the runtime's `fetch`. */
  readonly fetch?: typeof globalThis.fetch
  /** Default: the system's clock. */
  readonly clock?: Clock
}

const DEFAULT_CONCURRENCY = 8
const MAX_CONCURRENCY = 256

/**
 * Posts examples to a webhook route, signed and with the headers of GitHub. What fails for a while
 * (no connection, 429, 5xx) is sent again for up to a minute, under the same delivery id, so that
 * nothing is lost and nothing stored twice. The feed ends early when the server is away for so long, or
 * when it is aborted; the report tells how far it came.
 *
 * @throws FleetPromptError `config_invalid`
 * @example
 * const { stored, duplicates, refused } = await feedGithub({ url, secret, examples: await loadExamples(), abort })
 */
export async function feedGithub(options: FeedOptions): Promise<FeedReport> {
  const { url, secret, examples, fetch = globalThis.fetch, clock = systemClock } = options
  const { ratePerSecond = Infinity, concurrency = DEFAULT_CONCURRENCY } = options
  checkOptions(url, ratePerSecond, concurrency)
  const end = new AbortController()
  const abort = AbortSignal.any([options.abort, end.signal])
  const tally: Tally = { stored: 0, duplicates: 0, refused: [] }
  const startMs = clock.now()
  // All lanes take from this one iterator.
  const queue = examples.entries()

  const lane = async (): Promise<void> => {
    for (const [index, example] of queue) {
      // Reckoned from the start, not from the one before, so that lateness never adds up.
      await clock.sleep(startMs + (index * 1_000) / ratePerSecond - clock.now(), abort)
      const answer = await postExample(example, { url, secret, fetch, clock, abort })
      if (answer.kind === "aborted") return
      note(tally, answer)
      options.onProgress?.(progressOf(tally))
      if (answer.kind === "unreachable") end.abort()
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, examples.length) }, lane))
  } finally {
    // When one lane threw, the others must not go on.
    end.abort()
  }
  return { ...progressOf(tally), refused: tally.refused }
}

interface Tally {
  stored: number
  duplicates: number
  readonly refused: Refusal[]
}

function note(tally: Tally, answer: Exclude<Answer, { kind: "aborted" }>): void {
  switch (answer.kind) {
    case "stored":
      tally.stored++
      return
    case "duplicate":
      tally.duplicates++
      return
    case "refused":
    case "unreachable":
      tally.refused.push({ status: answer.status, detail: answer.detail })
      return
  }
}

function progressOf({ stored, duplicates, refused }: Tally): FeedProgress {
  return { sent: stored + duplicates + refused.length, stored, duplicates, refused: refused.length }
}

function checkOptions(url: string, ratePerSecond: number, concurrency: number): void {
  if (!URL.canParse(url)) throw invalid("the address of a webhook route", "url")
  if (!(ratePerSecond > 0)) throw invalid("a number above 0", "ratePerSecond")
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY) {
    throw invalid(`a whole number from 1 to ${MAX_CONCURRENCY}`, "concurrency")
  }
}

function invalid(expected: string, option: string): FleetPromptError {
  return new FleetPromptError("config_invalid", `expected ${expected} as ${option}, got something else`, {
    path: option,
  })
}
