import fc from "fast-check"
import { expect, test } from "vitest"
import { isFleetPromptError } from "../errors.ts"
import { deriveKey, newKey, openBox, sealBox } from "./sealed-box.ts"

const bytes = fc.uint8Array({ maxLength: 300 })

function codeOf(run: () => unknown): string {
  try {
    run()
    return "opened"
  } catch (error) {
    return isFleetPromptError(error) ? `${error.code} ${error.cause === undefined}` : "another error"
  }
}

test("any bytes come out of their box again", () => {
  fc.assert(
    fc.property(bytes, fc.string(), (plain, bound) => {
      const key = newKey()
      expect(openBox(key, sealBox(key, plain, bound), bound).equals(plain)).toBe(true)
    }),
  )
})

test("a box with any bit flipped, of its form, nonce, content or tag, does not open and does not say why", () => {
  fc.assert(
    fc.property(bytes, fc.string(), fc.nat(), (plain, bound, at) => {
      const key = newKey()
      const box = sealBox(key, plain, bound)
      const bit = at % (box.length * 8)
      box.writeUInt8(box.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(codeOf(() => openBox(key, box, bound))).toBe("secret_unreadable true")
    }),
    { numRuns: 500 },
  )
})

test("every bit of a small box counts", () => {
  const key = newKey()
  const box = sealBox(key, Buffer.from("secret"), "acme")
  for (let bit = 0; bit < box.length * 8; bit += 1) {
    const changed = Buffer.from(box)
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    expect(codeOf(() => openBox(key, changed, "acme"))).toBe("secret_unreadable true")
  }
})

test("a box opens for what it is bound to alone", () => {
  fc.assert(
    fc.property(bytes, fc.string(), fc.string(), (plain, bound, other) => {
      fc.pre(bound !== other)
      const key = newKey()
      expect(codeOf(() => openBox(key, sealBox(key, plain, bound), other))).toBe("secret_unreadable true")
    }),
  )
})

test("a box that is cut, or whose tag is shorter, does not open", () => {
  const key = newKey()
  const box = sealBox(key, Buffer.from("a secret"), "acme")
  for (let length = 0; length < box.length; length += 1)
    expect(codeOf(() => openBox(key, box.subarray(0, length), "acme"))).toBe("secret_unreadable true")
})

test("another key does not open it, and one of another length neither", () => {
  const box = sealBox(newKey(), Buffer.from("a secret"), "acme")
  expect(codeOf(() => openBox(newKey(), box, "acme"))).toBe("secret_unreadable true")
  expect(codeOf(() => openBox(Buffer.alloc(16), box, "acme"))).toBe("secret_unreadable true")
})

test("nonces differ, so that two boxes of one content do", () => {
  const key = newKey()
  const boxes = Array.from({ length: 1_000 }, () => sealBox(key, Buffer.from("same"), "acme").toString("hex"))
  expect(new Set(boxes.map((box) => box.slice(2, 26))).size).toBe(1_000)
})

test("each purpose has a key of its own, and always the same", () => {
  const key = Buffer.alloc(32, 7)
  expect(deriveKey(key, "a").equals(deriveKey(key, "a"))).toBe(true)
  expect(deriveKey(key, "a").equals(deriveKey(key, "b"))).toBe(false)
  // RFC 5869 by hand in another language, without salt, with the info "fleetprompt wrap".
  const byHand = "2c819797ac07920a20b756d21a659ee347b9947a05e6221a8112e83284584a16"
  expect(deriveKey(key, "wrap").toString("hex")).toBe(byHand)
})
