import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { checkPeppers, hashApiKey, isSameHash, makeApiKey, parsePeppers, readApiKey } from "./api-key-text.ts"
import { redactText } from "../guard/redact.ts"

const pepper = { id: "one", secret: new Uint8Array(32).fill(1) }
const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

describe("a key's text", () => {
  test("is read as it was made", () => {
    const made = makeApiKey("live")
    expect(made.text).toMatch(/^fp_live_[0-9A-Za-z]{16}_[0-9A-Za-z]{38}$/)
    expect(readApiKey(made.text)).toEqual(made)
  })

  test("never comes twice, and its characters are evenly spread", () => {
    const keys = Array.from({ length: 4_000 }, () => makeApiKey("live"))
    expect(new Set(keys.map(({ id }) => id)).size).toBe(keys.length)
    const counts = new Map<string, number>()
    for (const { text } of keys)
      for (const letter of text.slice(-38, -6)) counts.set(letter, (counts.get(letter) ?? 0) + 1)
    const expected = (keys.length * 32) / LETTERS.length
    // Six standard deviations: one run in ten million is beyond it.
    for (const letter of LETTERS)
      expect(Math.abs((counts.get(letter) ?? 0) - expected)).toBeLessThan(6 * Math.sqrt(expected))
  })

  test("with any one character changed is none", () => {
    fc.assert(
      fc.property(fc.nat(200), fc.constantFrom(...LETTERS.split("")), (at, letter) => {
        const { text } = makeApiKey("live")
        const place = at % text.length
        if (text[place] === letter) return
        expect(readApiKey(text.slice(0, place) + letter + text.slice(place + 1))).toBeUndefined()
      }),
    )
  })

  test("with two neighbours swapped, cut or extended is none", () => {
    fc.assert(
      fc.property(fc.nat(200), fc.string({ minLength: 1, maxLength: 50 }), (at, more) => {
        const { text } = makeApiKey("live")
        const place = at % (text.length - 1)
        const swapped = text.slice(0, place) + text[place + 1] + text[place] + text.slice(place + 2)
        if (swapped !== text) expect(readApiKey(swapped)).toBeUndefined()
        expect(readApiKey(text.slice(0, place))).toBeUndefined()
        expect(readApiKey(text + more)).toBeUndefined()
        expect(readApiKey(more + text)).toBeUndefined()
      }),
    )
  })

  test("that is anything else is none, in bounded time", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => readApiKey(text) === undefined))
    expect(readApiKey(`fp_live_${"a".repeat(5_000_000)}`)).toBeUndefined()
  })

  test("is what the guard of signals takes for a secret", () => {
    expect(redactText(`use ${makeApiKey("test").text} please`)).toBe("use [redacted:fleetprompt-key] please")
  })
})

describe("a key's hash", () => {
  test("depends on the text and on the pepper", () => {
    const { text } = makeApiKey("live")
    const hash = hashApiKey(text, pepper)
    expect(hash).not.toContain(text.slice(-38))
    expect(isSameHash(hash, hashApiKey(text, pepper))).toBe(true)
    expect(isSameHash(hash, hashApiKey(makeApiKey("live").text, pepper))).toBe(false)
    expect(isSameHash(hash, hashApiKey(text, { ...pepper, secret: new Uint8Array(32).fill(2) }))).toBe(false)
    expect(isSameHash(hash, hash.slice(1))).toBe(false)
  })
})

test("peppers must be long enough and have ids of their own", () => {
  expect(checkPeppers([pepper])).toHaveLength(1)
  for (const wrong of [[], [{ id: "a", secret: new Uint8Array(31) }], [pepper, pepper]])
    expect(() => checkPeppers(wrong)).toThrow(/pepper/)
})

test("peppers are read from a text, and an error does not repeat it", () => {
  const base64 = Buffer.from(pepper.secret).toString("base64")
  expect(parsePeppers(`new:${base64}, old:${base64}`).map(({ id }) => id)).toEqual(["new", "old"])
  expect(Buffer.from(parsePeppers(`new:${base64}`)[0]?.secret ?? [])).toEqual(Buffer.from(pepper.secret))
  for (const wrong of ["", "secret-secret", `new:${base64.slice(4)}`, `new:${base64},`, `a:${base64},a:${base64}`]) {
    expect(() => parsePeppers(wrong)).toThrow(/pepper/)
    expect(() => parsePeppers(wrong)).not.toThrow(/secret-secret|AQEBAQ/)
  }
})
