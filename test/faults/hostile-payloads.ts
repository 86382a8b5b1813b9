/** Data that somebody may emit, and what must become of it. */
export interface HostilePayload {
  readonly name: string
  /** Made anew for each emit. */
  readonly make: () => unknown
  /** Where it is refused, as a path behind `data`: `.a[1]`. Undefined when it must read back equal. */
  readonly refusedAt?: string
}

function equal(name: string, make: () => unknown): HostilePayload {
  return { name, make }
}

function refused(name: string, refusedAt: string, make: () => unknown): HostilePayload {
  return { name, make, refusedAt }
}

/** Half of a character of two. */
const LONE = "\u{1F600}".slice(0, 1)

/** So many objects within each other. */
function nested(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = { a: value }
  return value
}

class Money {
  readonly amount = 3
}

function cycle(): unknown {
  const object: Record<string, unknown> = { name: "me" }
  object["self"] = { object }
  return object
}

const NUMBERS: readonly HostilePayload[] = [
  refused("NaN", ".price", () => ({ price: Number.NaN })),
  refused("infinite", ".list[1]", () => ({ list: [1, Infinity] })),
  refused("negative infinite", "", () => -Infinity),
  refused("negative zero", ".zero", () => ({ zero: -0 })),
  refused("a BigInt", ".big", () => ({ big: 2n ** 70n })),
  equal("numbers at their limits", () => [
    Number.MAX_VALUE,
    Number.MIN_VALUE,
    Number.MAX_SAFE_INTEGER,
    2 ** 63,
    1e-300,
    0.1 + 0.2,
    -1.7976931348623157e308,
    123456789012345680000,
  ]),
]

const TEXTS: readonly HostilePayload[] = [
  refused("U+0000 in a text", ".note", () => ({ note: "a\u0000b" })),
  refused("U+0000 in a key", '["a\\u0000"]', () => ({ "a\u0000": 1 })),
  refused("half a character", ".note", () => ({ note: `x${LONE}` })),
  refused("half a character in a list", ".notes[0][1]", () => ({ notes: [["fine", LONE]] })),
  refused("half a character in a key", '["\\ud83d"]', () => ({ [LONE]: 1 })),
  refused("the halves in the wrong order", ".note", () => ({ note: "\uDE00\uD83D" })),
  equal("escapes and controls", () => ({
    text: `"\\/\b\f\n\r\t\u0001\u001f\u007f\u0085\u2028\u2029\ufeff\ufffe\uffff`,
  })),
  equal("text that looks like an escape", () => ({ text: "\\u0000 \\ud83d %00 &#0; \\x00" })),
  equal("characters of all planes", () => ({ text: "\u{1F600}\u{10FFFF}\u{20000}e\u0301\u05D0\u202E\u200D" })),
  equal("SQL", () => ({ "a'; drop table signals; --": "'); $1 $$ \\' :schema {{x}} E'\\047' %s /* */" })),
  equal("JSON within JSON", () => ({ text: '{"a":"\\u0000"}', list: ["null", "NaN", "1e999"] })),
  equal("a long text", () => ({ text: "\u00e9".repeat(200_000) })),
]

const KEYS: readonly HostilePayload[] = [
  equal("names of Object.prototype", () =>
    JSON.parse('{"__proto__":{"x":1},"constructor":2,"toString":3,"hasOwnProperty":4}'),
  ),
  equal("numbers as keys", () => ({ 10: "a", 9: "b", "01": "c", "-1": "d", "1.0": "e" })),
  equal("the empty key and spaces", () => ({ "": { "": [""] }, " ": 1, "a.b": 2, "a[0]": 3, "\u{1F600}": 4 })),
  equal("a long key", () => ({ ["k".repeat(50_000)]: 1 })),
  equal("many keys", () => Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`k${n}`, n]))),
  refused("symbol keys", ".a", () => ({ a: { [Symbol("hidden")]: 1, b: 2 } })),
]

const KINDS: readonly HostilePayload[] = [
  refused("undefined in an object", ".missing", () => ({ missing: undefined })),
  refused("undefined in a list", "[1]", () => [1, undefined]),
  refused("a hole in a list", "[1]", () => Object.assign(Array(3), { 0: 1, 2: 3 })),
  refused("a date", ".at", () => ({ at: new Date(0) })),
  refused("a date that is none", ".at", () => ({ at: new Date(Number.NaN) })),
  refused("a Map", ".map", () => ({ map: new Map([["a", 1]]) })),
  refused("a Set", ".list[0]", () => ({ list: [new Set([1])] })),
  refused("bytes", ".bytes", () => ({ bytes: new Uint8Array([1, 2]) })),
  refused("a Buffer", ".bytes", () => ({ bytes: Buffer.from("x") })),
  refused("an instance of a class", ".money", () => ({ money: new Money() })),
  refused("an error", ".error", () => ({ error: new Error("x") })),
  refused("a function", ".run", () => ({ run: () => 1 })),
  refused("its own toJSON", ".toJSON", () => ({ toJSON: () => "something else" })),
  refused("a symbol", ".mark", () => ({ mark: Symbol("x") })),
  refused("a boxed text", ".text", () => ({ text: Object("x") as unknown })),
  refused("a promise", ".later", () => ({ later: Promise.resolve(1) })),
  refused("a regular expression", ".pattern", () => ({ pattern: /x/ })),
  refused("a cycle", ".self.object", cycle),
  equal("an object without a prototype", () => Object.assign(Object.create(null) as object, { a: 1 })),
  equal("a getter", () => Object.defineProperty({}, "a", { enumerable: true, get: () => 1 })),
  equal("the same object twice", () => {
    const shared = { a: [1] }
    return { one: shared, two: shared, list: [shared, shared] }
  }),
  equal("scalars and empty ones", () => [null, true, false, "", 0, [], {}, [[]], [{}]]),
  equal("null alone", () => null),
  equal("a text alone", () => "text"),
]

const SIZES: readonly HostilePayload[] = [
  equal("as deep as it may be", () => nested(64)),
  refused("one level deeper", ".a".repeat(64), () => nested(65)),
  refused("10,000 levels deep", ".a".repeat(64), () => nested(10_000)),
  equal("a list of 50,000", () => Array.from({ length: 50_000 }, (_, n) => n / 7)),
  refused("too large", "", () => ({ text: "x".repeat(1_100_000) })),
  refused("too large by its escapes", "", () => ({ text: "\u0001".repeat(200_000) })),
]

/** All of them. */
export const HOSTILE_PAYLOADS: readonly HostilePayload[] = [...NUMBERS, ...TEXTS, ...KEYS, ...KINDS, ...SIZES]

/** Whether two values say the same in JSON: keys in any order, every number and text to the last bit. */
export function sameJson(one: unknown, other: unknown): boolean {
  if (typeof one !== "object" || one === null || typeof other !== "object" || other === null)
    return Object.is(one, other)
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const keys = Object.keys(one)
  if (keys.length !== Object.keys(other).length) return false
  return keys.every((key) => Object.hasOwn(other, key) && sameJson(Reflect.get(one, key), Reflect.get(other, key)))
}
