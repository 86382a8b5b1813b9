import { FleetPromptError } from "../errors.ts"

/** Any value that JSON and Postgres `jsonb` both keep without a change. Frozen when it comes from FleetPrompt. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: JsonValue
}

/** A place where text was replaced, because it could not be kept. */
export interface Replacement {
  /** For example `data.commits[2].message`. */
  readonly path: string
  /** Which rule asked for it. */
  readonly rule: string
}

/** How `copyJson` treats what it reads. */
export interface CopyOptions {
  /** How deep objects and arrays may be nested. Default 64. */
  readonly maxDepth?: number
  /**
   * Called for text that Postgres cannot hold; returns what to keep in its place. By default such
   * text is refused.
   */
  readonly replaceText?: (text: string, path: string) => string
}

/** The default of `CopyOptions.maxDepth`. */
export const DEFAULT_MAX_DEPTH = 64

/**
 * Checks that a value survives JSON and `jsonb` unchanged and returns a deeply frozen copy of it.
 * Refused, with the path: `undefined`, NaN, Infinity, -0, BigInt, symbols, functions, dates, class
 * instances, sparse arrays, cycles, and text with U+0000 or half a surrogate pair.
 *
 * @param path what the value is called in messages, for example `data`.
 * @throws FleetPromptError `data_not_json`, `data_too_deep`
 * @example
 * copyJson({ price: 3 }, "data") // { price: 3 }, frozen
 */
export function copyJson(value: unknown, path: string, options: CopyOptions = {}): JsonValue {
  return copy(value, {
    root: path,
    keys: [],
    open: [],
    maxDepth: options.maxDepth ?? DEFAULT_MAX_DEPTH,
    replaceText: options.replaceText,
  })
}

/**
 * Like `copyJson`, for a value that JSON.parse made of `text` and that nobody else holds: it is frozen
 * where it stands, unless it has a fault.
 *
 * @throws FleetPromptError `data_not_json`, `data_too_deep`
 */
export function adoptJson(value: unknown, text: string, path: string, options: CopyOptions = {}): JsonValue {
  const maxDepth = options.maxDepth ?? DEFAULT_MAX_DEPTH
  if (textsFit(text) && freezeFitting(value, maxDepth)) return value as JsonValue // JSON.parse makes nothing else.
  return copyJson(value, path, options)
}

/** Only an escape, or a fault of the whole, can give JSON a text that Postgres cannot hold. May say no of one that can. */
function textsFit(json: string): boolean {
  return json.isWellFormed() && !(json.includes("\\u") && ESCAPED_FAULT.test(json))
}

const ESCAPED_FAULT = /\\u(?:0000|d[89a-f])/i

/** Freezes what JSON.parse made, up to the first number or depth that is refused; false when there is one. */
function freezeFitting(value: unknown, levelsLeft: number): boolean {
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== "object" || value === null) return true
  if (levelsLeft === 0) return false
  if (Array.isArray(value)) {
    for (const item of value) if (!freezeFitting(item, levelsLeft - 1)) return false
  } else {
    // What JSON.parse made has its own keys alone, which this reads twice as fast as Object.values.
    const object = value as Readonly<Record<string, unknown>>
    for (const key in object) if (!freezeFitting(object[key], levelsLeft - 1)) return false
  }
  Object.freeze(value)
  return true
}

/** Freezes a value that JSON.parse made, however deep, and returns it: so that no reader can change it for another. */
export function freezeJson<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value
  for (const item of Object.values(value)) freezeJson(item)
  return Object.freeze(value)
}

/** Where the copying is. */
interface Walk {
  /** What the whole value is called. */
  readonly root: string
  /** The keys from the root to here. Made a path only for a message, since most values have no fault. */
  readonly keys: (string | number)[]
  /** The objects from the root to here, to notice a cycle. */
  readonly open: object[]
  readonly maxDepth: number
  readonly replaceText: ((text: string, path: string) => string) | undefined
}

function copy(value: unknown, walk: Walk): JsonValue {
  switch (typeof value) {
    case "string":
      return copyText(value, walk)
    case "boolean":
      return value
    case "number":
      return checkNumber(value, walk)
    case "object":
      return value === null ? null : copyContainer(value, walk)
    case "undefined":
      throw notJson(walk, "undefined", "leave the key out or use null")
    case "bigint":
      throw notJson(walk, "a BigInt", "use a string")
    case "function":
      throw notJson(walk, "a function", "leave it out")
    case "symbol":
      throw notJson(walk, "a symbol", "use a string")
  }
}

function checkNumber(value: number, walk: Walk): number {
  if (!Number.isFinite(value)) throw notJson(walk, String(value), "use null or a string")
  if (Object.is(value, -0)) throw notJson(walk, "-0", "use 0")
  return value
}

function copyText(value: string, walk: Walk): string {
  const fault = textFault(value)
  if (fault === undefined) return value
  if (walk.replaceText) return walk.replaceText(value, placeOf(walk))
  throw notJson(walk, fault, "Postgres cannot hold it; remove it or send the bytes as base64")
}

/** What makes a text impossible to store, or undefined. */
export function textFault(text: string): string | undefined {
  if (text.includes("\u0000")) return "text with U+0000"
  if (!text.isWellFormed()) return "text with half a surrogate pair"
  return undefined
}

function copyContainer(value: object, walk: Walk): JsonValue {
  if (walk.open.includes(value)) throw notJson(walk, "a cycle", "refer to the object by its id")
  if (walk.open.length === walk.maxDepth) throw tooDeep(walk)
  walk.open.push(value)
  const result = Array.isArray(value) ? copyArray(value, walk) : copyObject(value, walk)
  walk.open.pop()
  return result
}

function copyArray(value: readonly unknown[], walk: Walk): JsonValue {
  const copied: JsonValue[] = []
  const depth = walk.keys.length
  // Not `map`, which skips holes: they are read as undefined here, and refused with their index.
  for (let index = 0; index < value.length; index++) {
    walk.keys[depth] = index
    copied.push(copy(value[index], walk))
  }
  walk.keys.length = depth
  return Object.freeze(copied)
}

function copyObject(value: object, walk: Walk): JsonValue {
  checkPlain(value, walk)
  const copied: Record<string, JsonValue> = {}
  const depth = walk.keys.length
  // checkPlain let only plain objects through, whose keys are texts.
  const source = value as Readonly<Record<string, unknown>>
  for (const key of Object.keys(source)) {
    walk.keys[depth] = key
    setOwn(copied, copyText(key, walk), copy(source[key], walk))
  }
  walk.keys.length = depth
  return Object.freeze(copied)
}

/** Like an assignment, except that a key called __proto__ stays data. */
function setOwn(object: Record<string, JsonValue>, key: string, value: JsonValue): void {
  if (key === "__proto__")
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  else object[key] = value
}

function checkPlain(value: object, walk: Walk): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null && !isForeignPlain(prototype)) {
    throw notJson(walk, `an instance of ${className(value)}`, "use a plain object, an array or a string")
  }
  if (Object.getOwnPropertySymbols(value).length > 0)
    throw notJson(walk, "an object with symbol keys", "use string keys")
}

/** Plain objects of another realm (a vm, a test runner's worker) have that realm's Object.prototype. */
function isForeignPlain(prototype: unknown): boolean {
  return (
    typeof prototype === "object" &&
    prototype !== null &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, "hasOwnProperty")
  )
}

function className(value: object): string {
  return typeof value.constructor === "function" ? value.constructor.name : "a class"
}

/** `data` and `price` give `data.price`; a key that is no identifier stands in brackets. */
export function pathOf(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`
}

function placeOf({ root, keys }: Walk): string {
  return keys.reduce<string>((path, key) => (typeof key === "number" ? `${path}[${key}]` : pathOf(path, key)), root)
}

function notJson(walk: Walk, came: string, remedy: string): FleetPromptError {
  const path = placeOf(walk)
  return new FleetPromptError("data_not_json", `expected a JSON value at ${path}, got ${came}; ${remedy}`, { path })
}

function tooDeep(walk: Walk): FleetPromptError {
  const path = shorten(placeOf(walk))
  return new FleetPromptError(
    "data_too_deep",
    `expected at most ${walk.maxDepth} levels of nesting, got more at ${path}; flatten the value or store it elsewhere and refer to it`,
    { path },
  )
}

function shorten(path: string): string {
  return path.length <= 120 ? path : `${path.slice(0, 117)}...`
}
