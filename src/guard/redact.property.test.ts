import * as fc from "fast-check"
import { describe, expect, test } from "vitest"
import { fakeSecrets, type FakeSecret } from "../../test/support/fake-secrets.ts"
import type { Candidate } from "./candidate.ts"
import { normalise, type SignalAttributes } from "./normalise.ts"
import { redactGuard, redactText } from "./redact.ts"
import { SECRET_RULES } from "./secret-rules.ts"

function candidateOf(data: unknown, attributes: SignalAttributes = {}): Candidate {
  return normalise("acme", "lead.received", data, attributes)
}

function redact(data: unknown, attributes: SignalAttributes = {}): Candidate {
  return redactGuard(candidateOf(data, { onSecret: "redact", ...attributes }))
}

function refusalOf(data: unknown, attributes: SignalAttributes = {}): Error {
  try {
    redactGuard(candidateOf(data, attributes))
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error("it was not refused")
}

function fakeOf(rule: string): FakeSecret {
  const fake = fakeSecrets().find((each) => each.rule === rule)
  if (fake === undefined) throw new Error(`no fake for ${rule}`)
  return fake
}

const github = fakeOf("github-token").secret

/** JSON with a planted secret somewhere: as a value, in a text, or in a key. */
const planted = fc
  .record({
    seed: fc.integer(),
    pick: fc.nat(),
    around: fc.json(),
    text: fc.string(),
    where: fc.constantFrom("value", "text", "key", "list"),
    name: fc.string({ maxLength: 8 }),
    depth: fc.integer({ min: 0, max: 20 }),
  })
  .map(({ seed, pick, around, text, where, name, depth }) => {
    const fakes = fakeSecrets(seed)
    const { before, secret, after } = fakes[pick % fakes.length] ?? fakeOf("jwt")
    const found = before + secret + after
    const leaves: Record<typeof where, unknown> = {
      value: { [name]: found },
      text: { [name]: `${text.replaceAll(/["'\\]/g, "")} ${found} ${text}` },
      key: { [found]: text },
      list: [text, found],
    }
    let data: unknown = { around: JSON.parse(around) as unknown, leaf: leaves[where] }
    for (let level = 0; level < depth; level++) data = level % 2 === 0 ? [data] : { [name]: data }
    return { data, secret, found }
  })

/** As JSON text has it, since a secret may hold a newline. */
function inJson(secret: string): string {
  return JSON.stringify(secret).slice(1, -1)
}

describe("whatever comes", () => {
  test("no planted secret survives redacting, anywhere", () => {
    fc.assert(
      fc.property(planted, ({ data, secret }) => {
        expect(JSON.stringify(redact(data))).not.toContain(inJson(secret))
      }),
      { numRuns: 1_000 },
    )
  })

  test("no refusal tells the secret", () => {
    fc.assert(
      fc.property(planted, ({ data, secret }) => {
        const refusal = refusalOf(data)
        const told = [
          refusal.message,
          Reflect.get(refusal, "path"),
          refusal.stack,
          JSON.stringify(refusal),
          refusal.cause,
        ]
        expect(told.join("\n")).not.toContain(secret)
        expect(told.join("\n")).not.toContain(inJson(secret))
      }),
      { numRuns: 1_000 },
    )
  })

  test("nor does an attribute keep it", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(), (seed, pick) => {
        const fakes = fakeSecrets(seed)
        const { before, secret, after } = fakes[pick % fakes.length] ?? fakeOf("jwt")
        const text = before + secret + after
        const clean = redact(
          {},
          {
            subject: `lead:"${text}"`,
            source: text,
            dataschema: text,
            dedupeKey: text,
            sourceEventId: text,
            extensions: { region: text },
            metadata: { correlation_id: text, actor_user_id: text },
          },
        )
        expect(JSON.stringify(clean)).not.toContain(inJson(secret))
      }),
    )
  })

  test("redacting twice is redacting once", () => {
    fc.assert(
      fc.property(planted, ({ data, found }) => {
        const once = redact(data, { dedupeKey: found, subject: `lead:${found}` })
        expect(redactGuard(once)).toBe(once)
      }),
      { numRuns: 1_000 },
    )
  })

  test.each<[what: string, data: unknown]>([
    [
      "keys joined to a path look like a secret",
      { eyJhbGciOiJIUzI1: { eyJzdWIiOiIx: { c2lnbmF0dXJlMTIz: { token: "hunter2" } } } },
    ],
    ["replacing shows a further secret", `passphrase = '{"user":"a","password":"'`],
    ["a name has a secret in it", { name: `password ${fakeOf("github-token").secret}`, value: "hunter2" }],
    ["a path is cut within a marker", { ["k".repeat(160)]: { "password=hunter2": { token: "hunter2" } } }],
  ])("also when %s", (_, data) => {
    const once = redact(data)
    expect(once.metadata.redactions).toBeDefined()
    expect(redactGuard(once)).toBe(once)
  })

  test("also of texts made of pieces of secrets and markers", () => {
    const pieces = fakeSecrets().flatMap(({ before, secret, after }) => [before, secret, secret.slice(0, 9), after])
    const marks = SECRET_RULES.flatMap(({ name }) => [`[redacted:${name}]`, `[redacted:${name}#0123456789abcdef]`])
    const joints = [
      "",
      " ",
      "=",
      ":",
      "/",
      "@",
      ".",
      "-",
      "_",
      '"',
      "'",
      "\\",
      '\\"',
      ",",
      ";",
      "&",
      "?",
      "<",
      ">",
      "`",
      "\n",
      "]",
    ]
    const piece = fc.oneof(
      fc.constantFrom(...pieces, "password", "token", "Bearer", "Basic"),
      fc.constantFrom(...marks),
      fc.constantFrom(...joints),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (parts) => {
        const once = redactText(parts.join(""))
        expect(redactText(once)).toBe(once)
      }),
      { numRuns: 5_000 },
    )
  })

  test("JSON without a secret passes as the same object", () => {
    const harmless = fc.oneof(
      fc.uuid(),
      fc.webUrl(),
      fc.emailAddress(),
      fc.lorem(),
      fc.ipV6(),
      fc.base64String(),
      fc.integer(),
    )
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("id", "author", "key", "page_token", "url"), fc.array(harmless)),
        (data) => {
          const candidate = candidateOf(data)
          expect(redactGuard(candidate)).toBe(candidate)
        },
      ),
    )
  })
})

describe("hostile text", () => {
  // A pattern that takes quadratic time would need most of a minute for one of these, beyond a test's time-out.
  const LENGTH = 400_000
  const onePerRule = SECRET_RULES.map(({ name }) => fakeOf(name))
  const pieces = onePerRule.flatMap(({ before, secret }) => [
    before,
    secret.slice(0, 4),
    secret.slice(0, 12),
    secret.slice(-3),
  ])
  const more = [
    "a",
    "1",
    "=",
    ":",
    "://",
    "://a:",
    "@",
    "-",
    ".",
    "eyJ",
    "-eyJ",
    "eyJ.",
    "Bearer ",
    "Basic ",
    '"',
    "\\",
    '\\"',
    `"'`,
  ]
  const tricky = [
    "password",
    'password:"',
    'password="\\',
    "password=${",
    "password={{ ",
    "?sig=",
    "-----BEGIN PRIVATE KEY-----",
    "[[",
  ]

  test.each([...new Set([...pieces, ...more, ...tricky])].filter((piece) => piece !== ""))("400 kB of %j", (piece) => {
    const text = piece.repeat(Math.ceil(LENGTH / piece.length))
    expect(redactText(`${text} `)).not.toBe("")
  })

  test("a key of 400 kB, many secrets under it, and many keys that become one", () => {
    const token = (number: number) => `${github}${number}`
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, number) => [token(number), github]))
    const { signal, metadata } = redact({ ["k".repeat(LENGTH)]: many })
    expect(JSON.stringify(signal)).not.toContain(github)
    expect(metadata.redactions).toHaveLength(100)
    expect(metadata.redactions?.at(-1)?.path).toBe("and 39901 more")
  })
})
