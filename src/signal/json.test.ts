import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { adoptJson, copyJson, freezeJson } from "./json.ts"

function cycle(): object {
  const value: Record<string, unknown> = {}
  value["list"] = [value]
  return value
}

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = [value]
  return value
}

describe("what JSON and Postgres cannot hold is refused with its path", () => {
  class Money {}
  const cases: readonly [what: string, value: unknown, path: string, named: string][] = [
    ["NaN", { price: Number.NaN }, "data.price", "NaN"],
    ["Infinity", [1, Number.POSITIVE_INFINITY], "data[1]", "Infinity"],
    ["negative zero", { a: -0 }, "data.a", "-0"],
    ["BigInt", { a: { b: 1n } }, "data.a.b", "BigInt"],
    ["undefined", { a: undefined }, "data.a", "undefined"],
    ["a function", { run: () => 1 }, "data.run", "function"],
    ["a symbol", [Symbol("x")], "data[0]", "symbol"],
    ["symbol keys", { a: { [Symbol("x")]: 1 } }, "data.a", "symbol keys"],
    ["a date", { at: new Date(0) }, "data.at", "Date"],
    ["a map", { m: new Map() }, "data.m", "Map"],
    ["a class", { m: new Money() }, "data.m", "Money"],
    ["bytes", { b: new Uint8Array(1) }, "data.b", "Uint8Array"],
    ["a hole", { list: [1, , 3] }, "data.list[1]", "undefined"], // oxlint-disable-line no-sparse-arrays
    ["a cycle", { a: cycle() }, "data.a.list[0]", "cycle"],
    ["U+0000", { name: "a\u0000b" }, "data.name", "U+0000"],
    ["a lone surrogate", { name: "\uD83D" }, "data.name", "surrogate"],
    ["U+0000 in a key", { "a\u0000": 1 }, 'data["a\\u0000"]', "U+0000"],
    ["a key with spaces", { "my key": Number.NaN }, 'data["my key"]', "NaN"],
  ]
  test.each(cases)("%s", (_, value, path, named) => {
    expect(() => copyJson(value, "data")).toThrow(
      expect.objectContaining({ code: "data_not_json", path, message: expect.stringContaining(named) }),
    )
  })
})

test("nesting is limited, 64 levels by default", () => {
  expect(() => copyJson(nested(64), "data")).not.toThrow()
  expect(() => copyJson(nested(65), "data")).toThrow(expect.objectContaining({ code: "data_too_deep" }))
  expect(() => copyJson(nested(100_000), "data")).toThrow(expect.objectContaining({ code: "data_too_deep" }))
  expect(() => copyJson(nested(3), "data", { maxDepth: 2 })).toThrow(/at most 2 levels/)
})

test("the same object twice is no cycle", () => {
  const shared = { a: 1 }
  expect(copyJson([shared, shared], "data")).toEqual([{ a: 1 }, { a: 1 }])
})

test("any JSON value comes back equal, as a copy that is frozen all through", () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown),
      (value) => {
        const copied = copyJson(value, "data")
        expect(copied).toEqual(value)
        expect(isFrozen(copied)).toBe(true)
        expect(isFrozen(freezeJson(structuredClone(value)))).toBe(true)
      },
    ),
  )
})

describe("a value that JSON.parse made", () => {
  const outcome = (read: () => unknown): unknown => {
    try {
      return read()
    } catch (error) {
      return { thrown: String(error) }
    }
  }

  test.each([
    '"\\u0000"',
    '{"a":["\\ud83d"]}',
    '{"\\uDC00":1}',
    '"\uD83D"',
    "[-0]",
    '{"a":1e999}',
    `${"[".repeat(65)}${"]".repeat(65)}`,
  ])("is refused as its copy would be: %s", (text) => {
    const refused = outcome(() => copyJson(JSON.parse(text), "data"))
    expect(refused).toHaveProperty("thrown")
    expect(outcome(() => adoptJson(JSON.parse(text), text, "data"))).toEqual(refused)
  })

  test("fits or not as its copy does, and is frozen all through", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "\\", "u0000", "é", "😀", "\uD83D", "\u0000", "\\ud800") })
    const json = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        text,
        fc.double(),
        fc.constantFrom(null, true, 0, 1e300),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(text, tie("value"), { maxKeys: 4, noNullPrototype: true }),
      ),
    })).value
    fc.assert(
      fc.property(json, fc.integer({ min: 1, max: 5 }), (value, maxDepth) => {
        const line = JSON.stringify(value)
        const adopted = outcome(() => adoptJson(JSON.parse(line), line, "data", { maxDepth }))
        expect(adopted).toEqual(outcome(() => copyJson(JSON.parse(line), "data", { maxDepth })))
        if (!hasThrown(adopted)) expect(isFrozen(adopted)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test("is not copied", () => {
    const value: unknown = JSON.parse('{"a":["\\u00e9"]}')
    expect(adoptJson(value, '{"a":["\\u00e9"]}', "data")).toBe(value)
  })

  test("has its text replaced where that is asked for", () => {
    const options = { replaceText: () => "?" }
    expect(adoptJson(JSON.parse('["\\u0000"]'), '["\\u0000"]', "data", options)).toEqual(["?"])
  })
})

test("replaced keys stay in their order", () => {
  const copied = copyJson({ b: 1, "a\u0000": { c: 2 }, d: 3 }, "data", {
    replaceText: (text) => text.replace("\u0000", "?"),
  })
  expect(JSON.stringify(copied)).toBe('{"b":1,"a?":{"c":2},"d":3}')
})

test("a path names the place after deeper ones were left", () => {
  const value = { a: [{ b: [1, 2] }, { c: "fine" }], d: { e: [[0], undefined] } }
  expect(() => copyJson(value, "data")).toThrow(expect.objectContaining({ path: "data.d.e[1]" }))
})

test("a key called __proto__ stays data", () => {
  const copied = copyJson(JSON.parse('{"__proto__":{"admin":true}}'), "data")
  expect(JSON.stringify(copied)).toBe('{"__proto__":{"admin":true}}')
  expect(Object.getPrototypeOf(copied)).toBe(Object.prototype)
})

test("text that cannot be stored is replaced where that is asked for", () => {
  const seen: string[] = []
  const replaceText = (text: string, path: string): string => {
    seen.push(path)
    return text.replaceAll("\u0000", "?")
  }
  expect(copyJson({ a: ["x\u0000", "fine"] }, "data", { replaceText })).toEqual({ a: ["x?", "fine"] })
  expect(seen).toEqual(["data.a[0]"])
})

function isFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true
  return Object.isFrozen(value) && Object.values(value).every(isFrozen)
}

function hasThrown(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "thrown")
}
