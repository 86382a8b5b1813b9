import { createHash } from "node:crypto"
import { FleetPromptError } from "../errors.ts"
import { type JsonValue, pathOf, type Replacement } from "../signal/json.ts"
import type { Signal } from "../signal/signal.ts"
import type { SignalMetadata } from "../signal/stored-signal.ts"
import type { Candidate, Guard } from "./candidate.ts"
import { listRedactions, MAX_REDACTIONS } from "./redactions.ts"
import { isSecretName, isStandIn, NAME_HINT, NAME_RULE, SECRET_RULES, type SecretRule } from "./secret-rules.ts"

/** Longest path in a message or in `metadata.redactions`, UTF-16 units. */
const MAX_PATH = 200
/** Longest text that an identifying text may grow to by its markers: an index row of Postgres must hold it. */
const MAX_IDENTITY = 500
/** Shortest secret of which a digest is kept. A shorter one could be found by trying. */
const MIN_DIGESTED = 20
/** How often a text is searched. Two rounds do for all but quotes within quotes, and no text is known that needs four. */
const MAX_ROUNDS = 4
/** Attributes in which no marker can stand: a secret in one is refused, whatever the candidate asks for. */
const UNMARKABLE = new Set(["specversion", "id", "type", "time"])

const MAY_HOLD_SECRET = new RegExp(SECRET_RULES.map((rule) => rule.hint).join("|"), "i")

/** Where the walk is. Linked, so that a path is written only for what is found. */
interface Place {
  readonly above: Place | undefined
  readonly key: string | number
}

/** What the walk does with what it finds. */
interface Walk {
  /** Told of each rule once for each text. May throw. */
  readonly found: (rule: string, place: Place) => void
  /** Makes what stands in place of a secret. */
  readonly mark: (rule: SecretRule, secret: string) => string
}

/**
 * Keeps secrets out of the store: looks at every text and key of the signal, its metadata and its keys
 * for deduplication, by the names and the shapes of `secret-rules.ts`. What it finds is refused, or
 * replaced by `[redacted:<rule>]` and listed in `metadata.redactions`, as `candidate.onSecret` says.
 *
 * @throws FleetPromptError `secret_refused`; its message and path name the place and the rule, never the value.
 */
export const redactGuard: Guard = (candidate) => {
  if (!mayHoldSecret(candidate)) return candidate
  const listed: Replacement[] = []
  let count = 0
  const note = (rule: string, place: Place) => {
    count++
    if (listed.length < MAX_REDACTIONS) listed.push({ path: pathText(place), rule })
  }
  const clean = cleanCandidate(candidate, candidate.onSecret === "refuse" ? refuse : note)
  if (count === 0) return candidate
  const before = clean.metadata.redactions ?? []
  return {
    ...clean,
    metadata: { ...clean.metadata, redactions: listRedactions([...before, ...listed], before.length + count) },
  }
}

/** Longest texts together that are searched at once, UTF-16 units. */
const MAX_SEARCHED = 65_536

/** One search of all texts and keys at once, which nearly every signal passes; the walk finds out where. */
function mayHoldSecret({ signal, metadata, dedupeKey, sourceEventId }: Candidate): boolean {
  const texts = [dedupeKey ?? "", sourceEventId ?? ""]
  for (const name in signal) if (!MADE_HERE.has(name) && !collectNamed(name, signal[name], texts)) return true
  for (const name in metadata) {
    const value: unknown = Reflect.get(metadata, name)
    // Correlation defaults to the signal's own id.
    if (value !== signal.id && !collectTexts(value, texts)) return true
  }
  const all = texts.join("\n")
  return all.length > MAX_SEARCHED || NAME_HINT.test(all) || MAY_HOLD_SECRET.test(all)
}

/** Attributes that normalise makes, or holds to a form in which no secret can be. */
const MADE_HERE = new Set(["specversion", "id", "time"])

function collectNamed(name: string, value: unknown, texts: string[]): boolean {
  texts.push(name)
  return collectTexts(value, texts)
}

/** Most texts that are searched at once. */
const MAX_TEXTS = 1_000

/** False when there are too many. */
function collectTexts(value: unknown, texts: string[]): boolean {
  if (typeof value === "string") return texts.push(value) < MAX_TEXTS
  if (typeof value !== "object" || value === null) return true
  if (Array.isArray(value)) {
    for (const item of value) if (!collectTexts(item, texts)) return false
    return true
  }
  // Frozen JSON and signals have their own keys alone, which this reads twice as fast as Object.entries.
  const object = value as Readonly<Record<string, unknown>>
  for (const key in object) {
    texts.push(key)
    if (!collectTexts(object[key], texts)) return false
  }
  return true
}

/**
 * Replaces the parts of a text that look like a secret by `[redacted:<rule>]`. Time grows with the
 * text's length, whatever it holds.
 *
 * @example
 * redactText("connect to postgres://app:hunter2@db failed") // "connect to postgres://app:[redacted:url-password]@db failed"
 */
export function redactText(text: string): string {
  return cleanText(text, plainMark, new Set())
}

/**
 * A JSON value without what looks like a secret, by its names and its shapes: `[redacted:<rule>]` stands in its place.
 *
 * @example
 * redactValue({ host: "db", password: "hunter2" }) // { host: "db", password: "[redacted:secret-name]" }
 */
export function redactValue(value: JsonValue): JsonValue {
  // Texts become texts, so JSON stays JSON.
  return cleanValue(value, root("value"), { found: () => undefined, mark: plainMark }) as JsonValue
}

function cleanCandidate(candidate: Candidate, found: Walk["found"]): Candidate {
  const identity = { found, mark: digestMark }
  return {
    ...candidate,
    signal: cleanSignal(candidate.signal, found),
    // Every key of metadata is ours, so only texts within it change.
    metadata: cleanValue(candidate.metadata, root("metadata"), identity) as SignalMetadata,
    dedupeKey: cleanKey("dedupeKey", candidate.dedupeKey, identity),
    sourceEventId: cleanKey("sourceEventId", candidate.sourceEventId, identity),
  }
}

function cleanSignal(signal: Signal, found: Walk["found"]): Signal {
  const { data, ...attributes } = signal
  const cleaned = Object.entries(attributes).map(([name, value]) => {
    const walk = { found: UNMARKABLE.has(name) ? refuse : found, mark: digestMark }
    return [name, typeof value === "string" ? cleanAttribute(name, value, walk) : value]
  })
  // A text stays a text, so the attributes keep their types.
  return Object.freeze({
    ...Object.fromEntries(cleaned),
    data: cleanValue(data, root("data"), { found, mark: plainMark }),
  }) as Signal
}

function cleanAttribute(name: string, value: string, walk: Walk): string {
  return isSecretName(name) ? cleanNamed(value, root(name), walk) : cleanIdentity(value, root(name), walk)
}

function cleanKey(name: string, value: string | null, walk: Walk): string | null {
  return value === null ? null : cleanIdentity(value, root(name), walk)
}

/** Two texts that identify different things stay different, and the same text stays the same. */
function cleanIdentity(text: string, place: Place, walk: Walk): string {
  const clean = cleanString(text, place, walk)
  if (clean.length <= text.length || clean.length <= MAX_IDENTITY) return clean
  return `[redacted:many#${digest(clean)}]`
}

function cleanValue(value: unknown, place: Place, walk: Walk): unknown {
  if (typeof value === "string") return cleanString(value, place, walk)
  if (typeof value !== "object" || value === null) return value
  return Array.isArray(value) ? cleanArray(value, place, walk, cleanValue) : cleanObject(value, place, walk)
}

/** The value of a secret's name. A list of texts under it is a list of secrets; what is no text is none by name. */
function cleanNamed(value: string, place: Place, walk: Walk): string
function cleanNamed(value: unknown, place: Place, walk: Walk): unknown
function cleanNamed(value: unknown, place: Place, walk: Walk): unknown {
  if (Array.isArray(value)) return cleanArray(value, place, walk, cleanNamed)
  if (typeof value !== "string") return cleanValue(value, place, walk)
  if (isStandIn(value)) return value
  walk.found(NAME_RULE, place)
  return marker(NAME_RULE)
}

function cleanArray(
  list: readonly unknown[],
  place: Place,
  walk: Walk,
  clean: (item: unknown, place: Place, walk: Walk) => unknown,
): readonly unknown[] {
  const cleaned = list.map((item, key) => clean(item, { above: place, key }, walk))
  return cleaned.some((item, index) => item !== list[index]) ? Object.freeze(cleaned) : list
}

function cleanObject(object: object, place: Place, walk: Walk): object {
  const entries = Object.entries(object)
  const named = namesItsValue(object)
  const cleaned = entries.map(([key, value]): [string, unknown] => {
    const at = placeOf(key, place, walk)
    const secret = isSecretName(at.key) || (named && key === "value")
    return [at.key, secret ? cleanNamed(value, at, walk) : cleanValue(value, at, walk)]
  })
  const changed = cleaned.some(([key, value], index) => key !== entries[index]?.[0] || value !== entries[index][1])
  // fromEntries defines own properties, so a key called __proto__ stays data.
  return changed ? Object.freeze(Object.fromEntries(distinct(cleaned, entries))) : object
}

/** The place at a key, which stands there without its secrets, so that no path shows one. */
function placeOf(key: string, above: Place, walk: Walk): Place & { readonly key: string } {
  const rules = new Set<string>()
  const place = { above, key: cleanText(key, plainMark, rules) }
  for (const rule of rules) walk.found(rule, place)
  return place
}

/** `{ name: "DB_PASSWORD", value: "…" }`: the form of headers, variables and settings in lists. */
function namesItsValue(object: object): boolean {
  if (!("value" in object)) return false
  return ["name", "key"].some((label) => {
    const name: unknown = Reflect.get(object, label)
    return typeof name === "string" && isSecretName(redactText(name))
  })
}

/** Numbers the keys that became the same marker, so that no value is lost. */
function distinct(
  cleaned: readonly [string, unknown][],
  entries: readonly [string, unknown][],
): readonly [string, unknown][] {
  const taken = new Set(entries.map(([key]) => key))
  const numbers = new Map<string, number>()
  return cleaned.map(([key, value], index) => {
    if (key === entries[index]?.[0]) return [key, value]
    let number = numbers.get(key) ?? 1
    while (taken.has(numbered(key, number))) number++
    numbers.set(key, number + 1)
    return [numbered(key, number), value]
  })
}

function numbered(key: string, number: number): string {
  return number === 1 ? key : `${key} (${number})`
}

function cleanString(text: string, place: Place, walk: Walk): string {
  const rules = new Set<string>()
  const clean = cleanText(text, walk.mark, rules)
  for (const rule of rules) walk.found(rule, place)
  return clean
}

/**
 * Adds to `rules` those that found something. A secret may end where another begins that was hidden
 * within it, as with quotes within quotes, so the text is searched until nothing is found.
 */
function cleanText(text: string, mark: Walk["mark"], rules: Set<string>): string {
  let current = text
  for (let round = 0; round < MAX_ROUNDS && MAY_HOLD_SECRET.test(current); round++) {
    const found = new Set<string>()
    const next = cleanOnce(current, mark, found)
    if (next === current) return current
    found.forEach((rule) => rules.add(rule))
    current = next
  }
  return current
}

function cleanOnce(text: string, mark: Walk["mark"], found: Set<string>): string {
  return SECRET_RULES.reduce((current, rule) => {
    return current.replace(rule.pattern, (secret) => {
      if (rule.confirm?.(secret) === false) return secret
      found.add(rule.name)
      return mark(rule, secret)
    })
  }, text)
}

function marker(rule: string): string {
  return `[redacted:${rule}]`
}

function plainMark(rule: SecretRule): string {
  return marker(rule.name)
}

/**
 * The marker of an identifying text: a redelivery gets the same, another event another. The digest is
 * of a long secret made by a machine alone, which nobody finds by trying; one that a person may have
 * chosen is part of an address or a setting, and what stands around it identifies.
 */
function digestMark(rule: SecretRule, secret: string): string {
  return rule.guessable || secret.length < MIN_DIGESTED ? marker(rule.name) : marker(`${rule.name}#${digest(secret)}`)
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16)
}

function root(key: string): Place {
  return { above: undefined, key }
}

/**
 * The place as a text. Its keys have no secrets any more, so it may be cut; it is cleaned as a whole too,
 * since keys joined by dots may look like a secret, and the path is kept in the metadata.
 */
function pathText(place: Place): string {
  const path = joined(place)
  return redactText(path.length <= MAX_PATH ? path : `${path.slice(0, MAX_PATH - 3).toWellFormed()}...`)
}

function joined({ above, key }: Place): string {
  if (above === undefined) return String(key)
  return typeof key === "number" ? `${joined(above)}[${key}]` : pathOf(joined(above), key.slice(0, MAX_PATH))
}

function refuse(rule: string, place: Place): never {
  const path = pathText(place)
  throw new FleetPromptError(
    "secret_refused",
    `refused to store what looks like a secret at ${path} (rule ${rule}); store a credential id instead`,
    { path },
  )
}
