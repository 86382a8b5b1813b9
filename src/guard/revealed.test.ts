import fc from "fast-check"
import { expect, test } from "vitest"
import { RevealedSecrets } from "./revealed.ts"

const MARKER = "[redacted:credential]"

function revealed(...secrets: readonly string[]): RevealedSecrets {
  const set = new RevealedSecrets()
  for (const secret of secrets) set.add(secret)
  return set
}

/** Longer than any form is searched for, and of characters that each coding writes in another way. */
const secretText = fc.string({ minLength: 8, maxLength: 40, unit: "binary" }).filter((text) => text.isWellFormed())

test("a secret is found in each form, wherever it stands", () => {
  const forms: readonly ((text: string) => string)[] = [
    (text) => text,
    (text) => JSON.stringify({ text }),
    (text) => JSON.stringify(JSON.stringify({ text })),
    (text) => encodeURIComponent(text),
    (text) => new URLSearchParams({ text }).toString(),
    (text) => Buffer.from(text).toString("hex"),
    (text) => Buffer.from(text).toString("hex").toUpperCase(),
  ]
  fc.assert(
    fc.property(secretText, fc.string(), fc.string(), fc.constantFrom(...forms), (secret, before, after, form) => {
      const masked = revealed(secret).maskText(`${before}${form(secret)}${after}`)
      expect(masked).not.toContain(form(secret).replace(/^text=/, ""))
      expect(masked).toContain(MARKER)
    }),
    { examples: [["pässword/+?&= '\"\\\n", "", "", forms[4] ?? String]] },
  )
})

test("base64 of something that holds a secret shows less than the secret's first and last three characters", () => {
  fc.assert(
    fc.property(secretText, fc.string(), fc.string(), fc.constantFrom("base64", "base64url"), (secret, a, b, form) => {
      const encoded = Buffer.from(a + secret + b).toString(form)
      const masked = revealed(secret).maskText(`Basic ${encoded}`)
      expect(masked).toContain(MARKER)
      const left = Buffer.from(masked.replace("Basic ", "").split(MARKER).join(""), form)
      expect(left.length).toBeLessThan(Buffer.byteLength(a + secret + b) - Buffer.byteLength(secret) + 6)
    }),
  )
})

test("values are masked with their keys and numbers, and one without a secret stays as it is", () => {
  const set = new RevealedSecrets()
  set.add({ token: "tok-12345", pin: 4711, nested: ["deep-secret"] })
  const value = { a: ["tok-12345!", 4711, null, true], "deep-secret": { b: 12 } }
  expect(set.maskJson(value)).toEqual({ a: [`${MARKER}!`, MARKER, null, true], [MARKER]: { b: 12 } })
  expect(new RevealedSecrets().maskJson(value)).toBe(value)
})

test("a line of a certificate is found by itself", () => {
  const line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
  expect(revealed(`-----BEGIN-----\n${line}\n-----END-----`).maskText(`bad line ${line}`)).toBe(`bad line ${MARKER}`)
})

test("a secret within another is masked as a whole", () => {
  expect(revealed("inner-secret", "outer inner-secret outer").maskText("x outer inner-secret outer y")).toBe(
    `x ${MARKER} y`,
  )
})

test("when more was revealed than is remembered, whole texts are withheld", () => {
  const set = revealed(...Array.from({ length: 300 }, (_, index) => `secret-number-${index}`))
  expect(set.maskText("nothing in here")).toBe(MARKER)
})

test("a text of any length is searched in bounded time and cut behind its masks", () => {
  const secret = "0123456789abcdef".repeat(4)
  const masked = revealed(secret).maskStart(`${"x".repeat(19_990)}${secret}${"y".repeat(5_000_000)}`)
  expect(masked).toHaveLength(20_000)
  expect(masked).not.toContain("0123456")
})
