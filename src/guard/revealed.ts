import { type JsonObject, type JsonValue, pathOf } from "../signal/json.ts"

/** What stands in place of a secret that was revealed. */
const MARKER = "[redacted:credential]"
/** Shorter texts are not masked: they would be found everywhere. */
const MIN_TEXT = 4
/** Shorter texts are not looked for in another coding, where a part of them has too few characters to tell. */
const MIN_CODED = 8
/** Shorter lines of a longer text are not looked for by themselves. */
const MIN_LINE = 16
/** Texts of secrets that are remembered. Beyond it nothing that may hold one is let through. */
const MAX_TEXTS = 200
/** Longest part of a text that is searched, UTF-16 units, besides the longest secret. */
const MAX_SEARCHED = 20_000

/**
 * What was revealed to one attempt of a handler. It is known, so it is found wherever it appears: as it is, as JSON and
 * addresses escape it, in base64 and in hex. The set is bounded: when more is revealed than it holds, every text that
 * may hold a secret is withheld as a whole.
 */
export class RevealedSecrets {
  #needles: readonly string[] | undefined
  #texts: Set<string> | undefined
  #isFull = false
  #isOver = false

  /** Whether nothing was revealed, so that nothing has to be masked. */
  get isEmpty(): boolean {
    return this.#texts === undefined
  }

  /** Whether more was revealed than is remembered, so that nothing can be ruled out. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Whether the attempt has ended, after which nothing is revealed any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** The attempt has ended. */
  end(): void {
    this.#isOver = true
  }

  /** Remembers all texts of a secret. */
  add(secret: JsonValue): void {
    this.#texts ??= new Set()
    this.#needles = undefined
    for (const text of textsOf(secret)) {
      if (text.length < MIN_TEXT || this.#texts.has(text)) continue
      if (this.#texts.size >= MAX_TEXTS) this.#isFull = true
      else this.#texts.add(text)
    }
  }

  /** A text without what was revealed. */
  maskText(text: string): string {
    if (this.isEmpty) return text
    if (this.#isFull) return MARKER
    return this.#find().reduce((masked, needle) => masked.replaceAll(needle, MARKER), text)
  }

  /** The beginning of a text without what was revealed; for texts of any length. */
  maskStart(text: string): string {
    if (this.isEmpty) return text
    const longest = this.#find()[0]?.length ?? 0
    return this.maskText(text.slice(0, MAX_SEARCHED + longest)).slice(0, MAX_SEARCHED)
  }

  /**
   * A value without what was revealed, keys included; the same value when nothing of it was.
   *
   * @param path what the value is called, for `found`.
   * @param found is told of each place where something was masked.
   */
  maskJson(value: JsonValue, path = "", found: (path: string) => void = () => {}): JsonValue {
    if (this.isEmpty) return value
    if (typeof value === "object" && value !== null) return this.#maskWithin(value, path, found)
    if (typeof value !== "string" && typeof value !== "number") return value
    const masked = this.maskText(String(value))
    if (masked === String(value)) return value
    found(path)
    return masked
  }

  #maskWithin(value: readonly JsonValue[] | JsonObject, path: string, found: (path: string) => void): JsonValue {
    let isSame = true
    const note = (at: string): void => {
      isSame = false
      found(at)
    }
    const masked = isList(value)
      ? value.map((item, at) => this.maskJson(item, `${path}[${at}]`, note))
      : this.#maskObject(value, path, note)
    return isSame ? value : Object.freeze(masked)
  }

  #maskObject(value: JsonObject, path: string, found: (path: string) => void): JsonObject {
    const entries = Object.entries(value).map(([key, item]) => {
      const clean = this.maskText(key)
      const at = pathOf(path, clean)
      if (clean !== key) found(at)
      return [clean, this.maskJson(item, at, found)]
    })
    // Not by assignment: a key called __proto__ stays data.
    return Object.fromEntries(entries)
  }

  /** The longest first, so that none is cut by a shorter one that stands in it. */
  #find(): readonly string[] {
    this.#needles ??= [...new Set([...(this.#texts ?? [])].flatMap(formsOf))].toSorted((a, b) => b.length - a.length)
    return this.#needles
  }
}

function isList(value: object): value is readonly JsonValue[] {
  return Array.isArray(value)
}

/** Every text in a value, numbers written out. */
function textsOf(value: JsonValue): readonly string[] {
  if (typeof value === "string") return [value, ...linesOf(value)]
  if (typeof value === "number") return [String(value)]
  if (typeof value !== "object" || value === null) return []
  return Object.values(value).flatMap(textsOf)
}

function linesOf(text: string): readonly string[] {
  if (!text.includes("\n")) return []
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.length >= MIN_LINE)
}

/** How a text may be written. */
function formsOf(text: string): readonly string[] {
  const escaped = JSON.stringify(text).slice(1, -1)
  const plain = [text, escaped, JSON.stringify(escaped).slice(1, -1), ...addressForms(text)]
  const bytes = Buffer.from(text)
  if (bytes.length < MIN_CODED) return plain
  const hex = bytes.toString("hex")
  return [...plain, hex, hex.toUpperCase(), ...base64Forms(bytes)]
}

function addressForms(text: string): readonly string[] {
  const encoded = [encodeURIComponent(text.toWellFormed()), new URLSearchParams({ "": text }).toString().slice(1)]
  return encoded.flatMap((form) => [form, form.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())])
}

/**
 * Base64 of the text wherever it stands in what was encoded: three bytes become four characters, so there are three ways,
 * each without the characters that its neighbours have a part in.
 */
function base64Forms(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replaceAll("=", "")
    const isCut = (before + bytes.length) % 3 !== 0
    const whole = encoded.slice(before === 0 ? 0 : before + 1, isCut ? -1 : undefined)
    return [whole, whole.replaceAll("+", "-").replaceAll("/", "_")]
  })
}
