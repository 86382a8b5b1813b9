import { FleetPromptError } from "../../errors.ts"
import { PatternTrie } from "./pattern-trie.ts"
import { checkPattern } from "../pattern.ts"
import { RecentCache } from "./recent-cache.ts"
import type { Signal } from "../signal.ts"

/** A pattern with its target. What `add` returns stands for this one route, also beside equal ones. */
export interface Route<Target> {
  readonly pattern: string
  readonly target: Target
  /** From -100, last, to 100, first. */
  readonly priority: number
  /** Asked for each signal that fits the pattern. */
  readonly when?: (signal: Signal) => boolean
}

/** What a route may say besides its pattern and target. */
export interface RouteOptions {
  /** A whole number from -100, last, to 100, first. Default 0. */
  readonly priority?: number
  /**
   * A guard: the route counts only for signals of which it says true. One that throws, or returns no
   * boolean, says false, and `onGuardError` hears of it.
   */
  readonly when?: (signal: Signal) => boolean
}

/** How a router is set up. */
export interface RouterOptions<Target> {
  /** Told of each guard that failed. What it throws is dropped. Default: nobody is told. */
  readonly onGuardError?: (error: unknown, route: Route<Target>, signal: Signal) => void
  /**
   * How much to remember of earlier types, so that one that comes again costs one look-up: most types
   * and routes found for them, counted together. Default 16,384; 0 remembers nothing.
   */
  readonly cacheSize?: number
}

/** Finds the targets of a signal by the patterns of its routes. Made by `createRouter`. */
export interface Router<Target> {
  /**
   * Adds a route, also where an equal one stands already.
   *
   * @throws FleetPromptError `pattern_invalid`, `route_invalid`
   */
  readonly add: (pattern: string, target: Target, options?: RouteOptions) => Route<Target>
  /**
   * Removes one route, or those with this very pattern, and of these only the ones to `target` when it
   * is given. Returns how many there were.
   */
  readonly remove: (which: Route<Target> | string, target?: Target) => number
  /** Whether this route stands, or one with this very pattern, and with this target when it is given. */
  readonly has: (which: Route<Target> | string, target?: Target) => boolean
  /** All routes, in the order they were added. */
  readonly list: () => readonly Route<Target>[]
  /** Adds the routes of another router, in their order, and returns the new ones. */
  readonly merge: (other: Pick<Router<Target>, "list">) => readonly Route<Target>[]
  /** A new router with the routes for which `keep` says true. */
  readonly filter: (keep: (route: Route<Target>) => boolean) => Router<Target>
  /** How many routes there are. */
  readonly size: number
  /**
   * The targets of the routes that fit, one for each route: priority first, then the more specific
   * pattern, then the one added earlier. The list is the caller's own. Guards see the signal one after
   * the other; what they add or remove counts from the next call.
   */
  readonly route: (signal: Signal) => Target[]
}

/** The default of `RouterOptions.cacheSize`. */
const DEFAULT_CACHE_SIZE = 16_384
const MAX_PRIORITY = 100

/** A route and its place in the order of results. */
interface Entry<Target> {
  readonly route: Route<Target>
  readonly specificity: string
  readonly number: number
}

/** What was found for a type. */
interface Found<Target> {
  /** In order. */
  readonly entries: readonly Entry<Target>[]
  /** The targets of `entries`, when none has a guard. */
  readonly targets: readonly Target[] | undefined
}

/**
 * Makes a router. Patterns are compared segment by segment from the left to find the more specific one:
 * a name goes before `*`, `*` before the pattern's end, and the end before `**`.
 *
 * @example
 * const router = createRouter<string>()
 * router.add("order.*", "audit")
 * router.add("order.created", "invoice")
 * router.route(createSignal({ type: "order.created", source: "/shop" })) // ["invoice", "audit"]
 */
export function createRouter<Target>(options: RouterOptions<Target> = {}): Router<Target> {
  const entries = new Map<Route<Target>, Entry<Target>>()
  const trie = new PatternTrie<Entry<Target>>()
  const cacheSize = checkCacheSize(options.cacheSize ?? DEFAULT_CACHE_SIZE)
  const cache = new RecentCache<Found<Target>>(cacheSize, ({ entries: found }) => 1 + found.length)
  let nextNumber = 0

  function add(pattern: string, target: Target, routeOptions: RouteOptions = {}): Route<Target> {
    const route = newRoute(pattern, target, routeOptions)
    const entry = { route, specificity: specificityOf(pattern), number: nextNumber++ }
    entries.set(route, entry)
    trie.add(pattern, entry)
    cache.clear()
    return route
  }

  function find(which: Route<Target> | string, target: Target | undefined): readonly Entry<Target>[] {
    if (typeof which === "string")
      return trie.at(which).filter(({ route }) => target === undefined || route.target === target)
    const entry = entries.get(which)
    return entry ? [entry] : []
  }

  function remove(which: Route<Target> | string, target?: Target): number {
    const found = find(which, target)
    for (const entry of found) {
      entries.delete(entry.route)
      trie.remove(entry.route.pattern, entry)
    }
    cache.clear()
    return found.length
  }

  function search(type: string): Found<Target> {
    const known = cache.get(type)
    if (known) return known
    const found = trie.match(type).toSorted(compareEntries)
    const hasGuards = found.some((entry) => entry.route.when)
    const result = { entries: found, targets: hasGuards ? undefined : found.map((entry) => entry.route.target) }
    cache.set(type, result)
    return result
  }

  function route(signal: Signal): Target[] {
    const found = search(signal.type)
    if (found.targets) return found.targets.slice()
    // The list does not change any more, so a guard that adds or removes routes does not disturb the walk.
    const fitting = found.entries.filter((entry) => guardHolds(entry.route, signal, options.onGuardError))
    return fitting.map((entry) => entry.route.target)
  }

  const list = () => [...entries.keys()]
  const copyOf = ({ pattern, target, priority, when }: Route<Target>) =>
    add(pattern, target, { priority, ...(when && { when }) })
  return Object.freeze({
    add,
    remove,
    has: (which: Route<Target> | string, target?: Target) => find(which, target).length > 0,
    list,
    merge: (other: Pick<Router<Target>, "list">) => other.list().map(copyOf),
    filter: (keep: (route: Route<Target>) => boolean) => {
      const kept = createRouter<Target>(options)
      kept.merge({ list: () => list().filter(keep) })
      return kept
    },
    get size() {
      return entries.size
    },
    route,
  })
}

function newRoute<Target>(pattern: string, target: Target, { priority = 0, when }: RouteOptions): Route<Target> {
  checkPattern(pattern)
  if (!Number.isInteger(priority) || Math.abs(priority) > MAX_PRIORITY)
    throw invalid(pattern, `a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY} as priority`, priority)
  if (when !== undefined && typeof when !== "function") throw invalid(pattern, "a function as when", when)
  return Object.freeze({ pattern, target, priority, ...(when && { when }) })
}

function guardHolds<Target>(
  route: Route<Target>,
  signal: Signal,
  onGuardError: RouterOptions<Target>["onGuardError"],
): boolean {
  if (!route.when) return true
  try {
    const holds: unknown = route.when(signal)
    if (typeof holds !== "boolean") throw invalid(route.pattern, "true or false from when", holds)
    return holds
  } catch (error) {
    tell(onGuardError, error, route, signal)
    return false
  }
}

function tell<Target>(
  onGuardError: RouterOptions<Target>["onGuardError"],
  error: unknown,
  route: Route<Target>,
  signal: Signal,
): void {
  try {
    // An async listener that rejects would otherwise end the process.
    Promise.resolve(onGuardError?.(error, route, signal)).catch(() => {})
  } catch {
    // The listener's own fault must not keep the signal from the other targets.
  }
}

/** Ranks a segment among those that fit the same one. Letters, so that whole patterns compare as texts. */
const WILDCARD_RANKS: ReadonlyMap<string, string> = new Map([
  ["*", "b"],
  ["**", "d"],
])
const NAME_RANK = "a"
const END_RANK = "c"

/** A text that is less than another one's when the pattern is more specific. */
function specificityOf(pattern: string): string {
  const ranks = pattern.split(".").map((segment) => WILDCARD_RANKS.get(segment) ?? NAME_RANK)
  return ranks.join("") + END_RANK
}

function compareEntries<Target>(a: Entry<Target>, b: Entry<Target>): number {
  if (a.route.priority !== b.route.priority) return b.route.priority - a.route.priority
  if (a.specificity !== b.specificity) return a.specificity < b.specificity ? -1 : 1
  return a.number - b.number
}

function checkCacheSize(size: number): number {
  if (Number.isInteger(size) && size >= 0) return size
  throw new FleetPromptError("config_invalid", `expected a whole number from 0 as cacheSize, got ${String(size)}`)
}

function invalid(pattern: string, expected: string, came: unknown): FleetPromptError {
  const shown = typeof came === "number" ? String(came) : typeof came
  return new FleetPromptError("route_invalid", `expected ${expected} of the route "${pattern}", got ${shown}`)
}
