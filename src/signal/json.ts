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
  return copy(value, path, {
    left: options.maxDepth ?? DEFAULT_MAX_DEPTH,
    maxDepth: options.maxDepth ?? DEFAULT_MAX_DEPTH,
    open: new Set(),
    replaceText: options.replaceText,
  })
}

interface Walk {
  left: number
  readonly maxDepth: number
  /** The objects between the root and here, to notice a cycle. */
  readonly open: Set<object>
  readonly replaceText: ((text: string, path: string) => string) | undefined
}

function copy(value: unknown, path: string, walk: Walk): JsonValue {
  switch (typeof value) {
    case "string":
      return copyText(value, path, walk)
    case "boolean":
      return value
    case "number":
      return checkNumber(value, path)
    case "object":
      return value === null ? null : copyContainer(value, path, walk)
    case "undefined":
      throw notJson(path, "undefined", "leave the key out or use null")
    case "bigint":
      throw notJson(path, "a BigInt", "use a string")
    case "function":
      throw notJson(path, "a function", "leave it out")
    case "symbol":
      throw notJson(path, "a symbol", "use a string")
  }
}

function checkNumber(value: number, path: string): number {
  if (!Number.isFinite(value)) throw notJson(path, String(value), "use null or a string")
  if (Object.is(value, -0)) throw notJson(path, "-0", "use 0")
  return value
}

function copyText(value: string, path: string, walk: Walk): string {
  const fault = textFault(value)
  if (fault === undefined) return value
  if (walk.replaceText) return walk.replaceText(value, path)
  throw notJson(path, fault, "Postgres cannot hold it; remove it or send the bytes as base64")
}

/** Freezes a value that JSON.parse made, however deep, and returns it: so that no reader can change it for another. */
export function freezeJson<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value
  Object.values(value).forEach(freezeJson)
  return Object.freeze(value)
}

/** What makes a text impossible to store, or undefined. */
export function textFault(text: string): string | undefined {
  if (text.includes("\u0000")) return "text with U+0000"
  if (!text.isWellFormed()) return "text with half a surrogate pair"
  return undefined
}

function copyContainer(value: object, path: string, walk: Walk): JsonValue {
  if (walk.open.has(value)) throw notJson(path, "a cycle", "refer to the object by its id")
  if (walk.left === 0) throw tooDeep(path, walk.maxDepth)
  walk.left--
  walk.open.add(value)
  const result = Array.isArray(value) ? copyArray(value, path, walk) : copyObject(value, path, walk)
  walk.open.delete(value)
  walk.left++
  return result
}

function copyArray(value: readonly unknown[], path: string, walk: Walk): JsonValue {
  // Array.from reads holes as undefined, which is then refused with its index.
  return Object.freeze(Array.from(value, (item, index) => copy(item, `${path}[${index}]`, walk)))
}

function copyObject(value: object, path: string, walk: Walk): JsonValue {
  checkPlain(value, path)
  // fromEntries defines own properties, so a key called __proto__ stays data.
  return Object.freeze(
    Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        const keyPath = pathOf(path, key)
        return [copyText(key, keyPath, walk), copy(item, keyPath, walk)]
      }),
    ),
  )
}

function checkPlain(value: object, path: string): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype && !isForeignPlain(prototype)) {
    throw notJson(path, `an instance of ${className(value)}`, "use a plain object, an array or a string")
  }
  if (Object.getOwnPropertySymbols(value).length > 0)
    throw notJson(path, "an object with symbol keys", "use string keys")
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

function notJson(path: string, came: string, remedy: string): FleetPromptError {
  return new FleetPromptError("data_not_json", `expected a JSON value at ${path}, got ${came}; ${remedy}`, { path })
}

function tooDeep(path: string, maxDepth: number): FleetPromptError {
  return new FleetPromptError(
    "data_too_deep",
    `expected at most ${maxDepth} levels of nesting, got more at ${shorten(path)}; flatten the value or store it elsewhere and refer to it`,
    { path: shorten(path) },
  )
}

function shorten(path: string): string {
  return path.length <= 120 ? path : `${path.slice(0, 117)}...`
}
