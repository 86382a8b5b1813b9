import { createRequire } from "node:module"
import { describe, expect, test } from "vitest"
import { fakeSecrets, type FakeSecret } from "../../test/support/fake-secrets.ts"
import type { Candidate } from "./candidate.ts"
import { normalise, type SignalAttributes } from "./normalise.ts"
import { redactGuard, redactText } from "./redact.ts"

// The package's types say ESM, but it is JSON: each kind of event with payloads that GitHub sent.
const kinds = createRequire(import.meta.url)("@octokit/webhooks-examples") as readonly {
  readonly name: string
  readonly examples: readonly object[]
}[]
const payloads = kinds.flatMap(({ name, examples }) => examples.map((payload) => ({ name, payload })))

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

describe("refusing", () => {
  test("names the place and the rule", () => {
    expect(refusalOf({ token: "hunter2" })).toMatchObject({
      code: "secret_refused",
      path: "data.token",
      message:
        "refused to store what looks like a secret at data.token (rule secret-name); store a credential id instead",
    })
  })

  test.each<[path: string, rule: string, data: unknown, attributes: SignalAttributes]>([
    ["data", "github-token", github, {}],
    ["data[1].text", "github-token", [1, { text: `see ${github}.` }], {}],
    [
      "data.headers[1].value",
      "secret-name",
      {
        headers: [
          { name: "a", value: "b" },
          { name: "X-Api-Key", value: "hunter2" },
        ],
      },
      {},
    ],
    ["data.env[0].value", "secret-name", { env: [{ key: "DB_PASSWORD", value: "hunter2" }] }, {}],
    ["data.headers.authorization[0]", "secret-name", { headers: { authorization: ["hunter2"] } }, {}],
    ["data.secret.text", "github-token", { secret: { text: github } }, {}],
    ['data["[redacted:github-token]"]', "github-token", { [github]: 1 }, {}],
    ["subject", "github-token", {}, { subject: `token:${github}` }],
    ["source", "url-password", {}, { source: "https://app:hunter2@example.com/" }],
    ["dataschema", "token-parameter", {}, { dataschema: "https://example.com/schema?token=hunter2222" }],
    ["apikey", "secret-name", {}, { extensions: { apikey: "hunter2" } }],
    ["region", "jwt", {}, { extensions: { region: fakeOf("jwt").secret } }],
    ["metadata.correlation_id", "github-token", {}, { metadata: { correlation_id: github } }],
    ["metadata.actor_user_id", "github-token", {}, { metadata: { actor_user_id: github } }],
    ["dedupeKey", "github-token", {}, { dedupeKey: `github:${github}` }],
    ["sourceEventId", "github-token", {}, { sourceEventId: github }],
  ])("looks at %s", (path, rule, data, attributes) => {
    const refusal = refusalOf(data, attributes)
    expect(refusal).toMatchObject({ code: "secret_refused", path })
    expect(refusal.message).toContain(`(rule ${rule})`)
  })

  test("a secret in the type is refused in either way, since no marker can stand there", () => {
    const type = `lead.${github}`
    for (const onSecret of ["refuse", "redact"] as const) {
      const candidate = normalise("acme", type, {}, { onSecret })
      expect(() => redactGuard(candidate)).toThrow(expect.objectContaining({ code: "secret_refused", path: "type" }))
    }
  })

  test.each([
    { password: null, secret: true, token: 5, authorization: { type: "none" }, private_key: "" },
    { token_count: "5", next_page_token: "CAUQAA", author: "Ann", keyboard: "us", secret_type: "adafruit_io_key" },
    { secret: "********", token: "[redacted]", password: "${DB_PASSWORD}" },
    { name: "X-Api-Key", values: ["hunter2"] },
    { name: "colour", value: "blue" },
  ])("%j holds none, and passes as the same object", (data) => {
    for (const onSecret of ["refuse", "redact"] as const) {
      const candidate = candidateOf(data, { onSecret })
      expect(redactGuard(candidate)).toBe(candidate)
    }
  })

  test("a path is cut, however long the keys are", () => {
    const refusal = refusalOf({ ["k".repeat(10_000)]: { ["\u{1F600}".repeat(10_000)]: { token: "hunter2" } } })
    expect(refusal.message.length).toBeLessThan(400)
  })
})

describe("redacting", () => {
  test("replaces values and lists them", () => {
    const { signal, metadata } = redact({ a: [`see ${github}, twice ${github}`], user: { password: "hunter2" }, b: 1 })
    expect(signal.data).toEqual({
      a: ["see [redacted:github-token], twice [redacted:github-token]"],
      user: { password: "[redacted:secret-name]" },
      b: 1,
    })
    expect(metadata.redactions).toEqual([
      { path: "data.a[0]", rule: "github-token" },
      { path: "data.user.password", rule: "secret-name" },
    ])
  })

  test("what it returns is frozen, and what it left as it is is shared", () => {
    const candidate = candidateOf({ kept: { a: [1] }, token: "hunter2" }, { onSecret: "redact" })
    const { signal } = redactGuard(candidate)
    // Both were made two lines above.
    const [before, after] = [candidate.signal.data, signal.data] as { kept: object }[]
    expect([signal, after].every(Object.isFrozen)).toBe(true)
    expect(after?.kept).toBe(before?.kept)
  })

  test("keeps every attribute and the order of keys", () => {
    const candidate = candidateOf(
      { z: 1, token: "hunter2", a: 2 },
      {
        onSecret: "redact",
        subject: "lead:1",
        extensions: { region: "eu", shard: 3 },
        dedupeKey: "k",
        visibility: "admin_only",
      },
    )
    const clean = redactGuard(candidate)
    expect(clean).toEqual({
      ...candidate,
      signal: { ...candidate.signal, data: { z: 1, token: "[redacted:secret-name]", a: 2 } },
      metadata: { ...candidate.metadata, redactions: [{ path: "data.token", rule: "secret-name" }] },
    })
    // The candidate was made from this very data.
    expect(Object.keys(clean.signal.data as object)).toEqual(["z", "token", "a"])
  })

  test("appends to the redactions already there", () => {
    const { metadata } = redact({ a: "\u0000", b: github })
    expect(metadata.redactions).toEqual([
      { path: "data.a", rule: "unstorable-text" },
      { path: "data.b", rule: "github-token" },
    ])
  })

  test("cleans the paths of those already there", () => {
    const { metadata } = redact({ [github]: "\u0000" })
    expect(JSON.stringify(metadata)).not.toContain(github)
  })

  test("lists 100 at most, and says how many more", () => {
    const fits = redact(Array.from({ length: 100 }, () => github)).metadata.redactions
    expect(fits).toHaveLength(100)
    expect(fits?.at(-1)).toEqual({ path: "data[99]", rule: "github-token" })

    const more = redact(["\u0000", ...Array.from({ length: 249 }, () => github)]).metadata.redactions
    expect(more).toHaveLength(100)
    expect(more?.slice(-2)).toEqual([
      { path: "data[98]", rule: "github-token" },
      { path: "and 151 more", rule: "not-listed" },
    ])
  })

  test("no path shows a secret that was a key", () => {
    const { metadata } = redact({ [`a ${github}`]: { b: { password: "hunter2" } } })
    expect(metadata.redactions).toEqual([
      { path: 'data["a [redacted:github-token]"]', rule: "github-token" },
      { path: 'data["a [redacted:github-token]"].b.password', rule: "secret-name" },
    ])
  })

  test("a key that a marker became part of is no secret's name by the marker's words", () => {
    const { signal } = redact({ [fakeOf("webhook-secret").secret]: "kept", [`password ${github}`]: "hunter2" })
    expect(signal.data).toEqual({
      "[redacted:webhook-secret]": "kept",
      "password [redacted:github-token]": "[redacted:secret-name]",
    })
  })

  test("keys that become the same marker stay apart", () => {
    const [one, other] = [fakeSecrets(1), fakeSecrets(2)].map(
      (all) => all.find(({ rule }) => rule === "stripe-key")?.secret ?? "",
    )
    const { signal } = redact({ "[redacted:stripe-key]": 0, [String(one)]: 1, b: 2, [String(other)]: 3 })
    expect(signal.data).toEqual({
      "[redacted:stripe-key]": 0,
      "[redacted:stripe-key] (2)": 1,
      b: 2,
      "[redacted:stripe-key] (3)": 3,
    })
  })

  test("keys such as __proto__ stay data", () => {
    const data: unknown = JSON.parse(`{"__proto__":{"token":"hunter2"},"constructor":1}`)
    const { signal } = redact(data)
    expect(JSON.stringify(signal.data)).toBe(`{"__proto__":{"token":"[redacted:secret-name]"},"constructor":1}`)
    expect(Object.getPrototypeOf(signal.data)).toBe(Object.prototype)
  })
})

describe("what identifies", () => {
  const [one, other] = [fakeSecrets(1), fakeSecrets(2)].map(
    (all) => all.find(({ rule }) => rule === "slack-token")?.secret ?? "",
  )

  test("gets the same marker for the same secret, another for another", () => {
    const keys = [one, one, other].map((secret) => redact({}, { dedupeKey: `slack:${secret}:1` }).dedupeKey)
    expect(keys[0]).toMatch(/^slack:\[redacted:slack-token#[0-9a-f]{16}\]:1$/)
    expect(keys[1]).toBe(keys[0])
    expect(keys[2]).not.toBe(keys[0])
  })

  test("has no digest of what a person may have chosen, nor of what is short", () => {
    expect(redact({}, { sourceEventId: "https://app:correct-horse-battery-staple@a/1" }).sourceEventId).toBe(
      "https://app:[redacted:url-password]@a/1",
    )
    expect(redact({}, { sourceEventId: "https://a/?token=hunter2" }).sourceEventId).toBe(
      "https://a/?token=[redacted:token-parameter]",
    )
  })

  test("never grows beyond what an index holds, and stays one of its kind", () => {
    const addresses = (count: number) => "u://:p@a ".repeat(count)
    const [key, same, another] = [50, 50, 55].map((count) => redact({}, { dedupeKey: addresses(count) }).dedupeKey)
    expect(key).toMatch(/^\[redacted:many#[0-9a-f]{16}\]$/)
    expect(same).toBe(key)
    expect(another).not.toBe(key)
  })
})

describe("real webhooks of GitHub", () => {
  test("only the signed address of a download is found, which is a credential", () => {
    const found = payloads.flatMap(({ name, payload }) => {
      const { redactions = [] } = redact(payload).metadata
      return redactions.map(({ path, rule }) => `${name} ${path} ${rule}`)
    })
    const path = "data.package.package_version.package_files[0].download_url"
    expect(payloads).toHaveLength(329)
    expect([...new Set(found)]).toEqual([`package ${path} token-parameter`, `package ${path} aws-access-key-id`])
    expect(found).toHaveLength(4)
  })

  test("a secret added to any of them is found", () => {
    for (const { payload } of payloads) {
      expect(JSON.stringify(redact({ ...payload, extra: { note: `it is ${github}` } }))).not.toContain(github)
    }
  })
})

test("redactText replaces the secret parts alone", () => {
  expect(redactText(`connect to postgres://app:hunter2@db failed; sent Bearer ${github}`)).toBe(
    "connect to postgres://app:[redacted:url-password]@db failed; sent Bearer [redacted:bearer-token]",
  )
  expect(redactText("nothing here")).toBe("nothing here")
})
