import { createHmac } from "node:crypto"
import { createRequire } from "node:module"
import { sign } from "@octokit/webhooks-methods"
import { describe, expect, it } from "vitest"
import { webhookSourceContract } from "../../test/webhook-source-contract.ts"
import { isFleetPromptError } from "../errors.ts"
import { copyJson } from "../signal/json.ts"
import { createSignal } from "../signal/signal.ts"
import { githubWebhook } from "./github.ts"
import type { WebhookRequest } from "./webhook-source.ts"

interface Definition {
  readonly name: string
  readonly examples: readonly Readonly<Record<string, unknown>>[]
}

const SECRET = "It's a Secret to Everybody"
const source = githubWebhook({ tenant: "acme", secret: SECRET })
const body = encode(JSON.stringify({ action: "opened", repository: { full_name: "octokit/webhooks" } }))
const require = createRequire(import.meta.url)
// The package's one file is this list; the count below would notice another shape.
const definitions = require("@octokit/webhooks-examples") as readonly Definition[]
const examples = definitions.flatMap(({ name, examples }) => examples.map((payload) => ({ name, payload })))

webhookSourceContract("github", {
  create: (secret) => githubWebhook({ tenant: "acme", secret }),
  request: (secret, bytes, delivery) => request(bytes, { secret, delivery }),
  body,
  malformedBody: encode(`{"action":`),
  signatureHeader: "x-hub-signature-256",
})

describe("what becomes of an event", () => {
  it("reads every payload GitHub publishes, signed by GitHub's own library", async () => {
    expect(examples).toHaveLength(329)
    for (const { name, payload } of examples) {
      const text = JSON.stringify(payload)
      const headers = { "x-hub-signature-256": await sign(SECRET, text) }
      const event = source.receive(request(encode(text), { event: name, headers }))
      expect(event?.type).toBe(["github", name, ...(payload["action"] ? [payload["action"]] : [])].join("."))
      expect(event?.data).toEqual(payload)
      expect(event?.subject, name).toMatch(/^(repository|organization|installation|account|user|security_advisory):./)
      const { sourceEventId: _, ...input } = event ?? { type: "", source: "", data: null, sourceEventId: "" }
      expect(createSignal(input)).toMatchObject(input)
    }
  })

  it("gives a type that is complete without an action", () => {
    expect(source.receive(request(encode(`{"zen":"Keep it simple"}`), { event: "ping" }))).toEqual({
      type: "github.ping",
      source: "webhook:github",
      sourceEventId: "72d3162e-cc78-11e3-81ab-4c9367dc0958",
      data: { zen: "Keep it simple" },
    })
  })

  it.each([
    [
      { repository: { full_name: "octokit/webhooks" }, organization: { login: "octokit" } },
      "repository:octokit/webhooks",
    ],
    [
      { organization: { login: "octokit" }, installation: { id: 123 }, sender: { login: "me" } },
      "organization:octokit",
    ],
    [{ enterprise: { slug: "github" }, sender: { login: "me" } }, "enterprise:github"],
    [{ installation: { id: 123 }, sender: { login: "me" } }, "installation:123"],
    [{ marketplace_purchase: { account: { login: "octokit" } }, sender: { login: "me" } }, "account:octokit"],
    [{ sponsorship: { sponsorable: { login: "you" } }, sender: { login: "me" } }, "user:you"],
    [{ security_advisory: { ghsa_id: "GHSA-rf4j-j272-fj86" } }, "security_advisory:GHSA-rf4j-j272-fj86"],
    [{ sender: { login: "me" } }, "user:me"],
    [{ repository: null, organization: "octokit", sender: { login: "" } }, undefined],
    [{}, undefined],
  ])("knows what %j is about", (payload, subject) => {
    expect(source.receive(request(encode(JSON.stringify(payload))))?.subject).toBe(subject)
  })

  it("takes the last of two equal keys everywhere, so that no two readers see two payloads", () => {
    const event = source.receive(request(encode(`{"action":"closed","action":"opened"}`)))
    expect(event).toMatchObject({ type: "github.issues.opened", data: { action: "opened" } })
  })

  it("keeps a key called __proto__ as data", () => {
    const text = `{"__proto__":{"action":"opened","polluted":true,"sender":{"login":"evil"}}}`
    const event = source.receive(request(encode(text)))
    expect(event).toMatchObject({ type: "github.issues" })
    expect(event).not.toHaveProperty("subject")
    expect(JSON.stringify(copyJson(event?.data, "data"))).toBe(text)
    expect(Object.prototype).not.toHaveProperty("polluted")
  })

  it("does not take inherited names for a subject", () => {
    expect(source.receive(request(encode(`{"repository":"constructor"}`)))).not.toHaveProperty("subject")
  })
})

describe("a body in a form", () => {
  const form = "application/x-www-form-urlencoded"

  it("is read as GitHub sends it, every payload", async () => {
    for (const { name, payload } of examples) {
      const text = new URLSearchParams({ payload: JSON.stringify(payload) }).toString()
      const headers = { "x-hub-signature-256": await sign(SECRET, text), "content-type": form }
      expect(source.receive(request(encode(text), { event: name, headers }))?.data).toEqual(payload)
    }
  })

  it.each([form, `${form}; charset=utf-8`, "Application/X-WWW-Form-URLEncoded"])("is known by %s", (contentType) => {
    const text = `payload=${encodeURIComponent(`{"a":"b + ä"}`)}`
    expect(source.receive(request(encode(text), { headers: { "content-type": contentType } }))?.data).toEqual({
      a: "b + ä",
    })
  })

  it.each(["", "other=%7B%7D", "payload=%7B%7D&payload=%7B%7D", "payload=%FF", "payload=%", "payload=", "{}"])(
    "is malformed when it is %j",
    (text) => {
      expect(code(request(encode(text), { headers: { "content-type": form } }))).toBe("body_malformed")
    },
  )
})

it.each([
  ["on-demand.test run", "github.repository_dispatch.on-demand_test_run"],
  ["a".repeat(101), `github.repository_dispatch.${"a".repeat(100)}`],
  ["ü", "github.repository_dispatch._"],
  ["", "github.repository_dispatch"],
  [1, "github.repository_dispatch"],
  [{ name: "x" }, "github.repository_dispatch"],
])("the action %j becomes a part of the type, and stays in the payload as it came", (action, type) => {
  const event = source.receive(request(encode(JSON.stringify({ action })), { event: "repository_dispatch" }))
  expect(event).toMatchObject({ type, data: { action } })
})

describe("what is refused", () => {
  it.each([`"text"`, "1", "null", "true", "[]", "", "{", "{}{}", "undefined"])("the body %j", (text) => {
    expect(code(request(encode(text)))).toBe("body_malformed")
  })

  it("a body that is not UTF-8", () => {
    expect(code(request(Uint8Array.of(...encode(`{"a":"`), 0xff, ...encode(`"}`))))).toBe("body_malformed")
    expect(code(request(Uint8Array.of(...encode(`{"a":"`), 0xed, 0xa0, 0x80, ...encode(`"}`))))).toBe("body_malformed")
  })

  it.each(["X-GitHub-Event", "X-GitHub-Delivery"])("a request without %s", (name) => {
    const { headers } = request(body)
    headers.delete(name)
    expect(code({ headers, body })).toBe("request_invalid")
  })

  it.each(["issues.opened", "is sues", "*", "", "é", "a".repeat(101)])("the event %j", (event) => {
    expect(code(request(body, { event }))).toBe("request_invalid")
  })

  it.each(["", "a b", "a,b", "é", "a".repeat(101)])("the delivery id %j", (delivery) => {
    expect(code(request(body, { delivery }))).toBe("request_invalid")
  })

  it.each([
    ["nothing", ""],
    ["another algorithm's name", signatureOf(SECRET, body).replace("sha256", "sha512")],
    ["bare hex", signatureOf(SECRET, body).slice("sha256=".length)],
    ["capitals", signatureOf(SECRET, body).toUpperCase()],
    ["a shorter text", signatureOf(SECRET, body).slice(0, -1)],
    ["a longer text", `${signatureOf(SECRET, body)}0`],
    ["two values", `${signatureOf(SECRET, body)}, ${signatureOf(SECRET, body)}`],
    ["no hex", `sha256=${"z".repeat(64)}`],
    ["as many characters but more bytes", `sha256=${"é".repeat(64)}`],
    ["the empty secret's", `sha256=${createHmac("sha256", "").update(body).digest("hex")}`],
  ])("a signature that is %s", (_, signature) => {
    expect(code(request(body, { headers: { "x-hub-signature-256": signature } }))).toBe("webhook_signature_invalid")
  })

  it("a request with the old SHA-1 signature alone", () => {
    const { headers } = request(body)
    headers.delete("x-hub-signature-256")
    headers.set("x-hub-signature", `sha1=${createHmac("sha1", SECRET).update(body).digest("hex")}`)
    expect(code({ headers, body })).toBe("webhook_signature_invalid")
  })

  it("a wrong signature before anything else that is wrong", () => {
    const headers = new Headers({ "x-hub-signature-256": signatureOf("wrong", body) })
    expect(code({ headers, body: encode("{") })).toBe("webhook_signature_invalid")
  })
})

describe("secrets", () => {
  const both = githubWebhook({ tenant: "acme", secret: ["new", "old"] })

  it("fit one by one while they are being changed", () => {
    expect(both.receive(request(body, { secret: "new" }))).toMatchObject({ type: "github.issues.opened" })
    expect(both.receive(request(body, { secret: "old" }))).toMatchObject({ type: "github.issues.opened" })
  })

  it("do not fit when they are neither", () => {
    expect(code(request(body, { secret: "older" }), both)).toBe("webhook_signature_invalid")
    expect(code(request(body, { secret: "new,old" }), both)).toBe("webhook_signature_invalid")
  })

  it("do not change when the caller's list does", () => {
    const secrets = ["old"]
    const kept = githubWebhook({ tenant: "acme", secret: secrets })
    secrets[0] = "new"
    expect(code(request(body, { secret: "new" }), kept)).toBe("webhook_signature_invalid")
  })

  it.each([undefined, "", " ", [], [""], ["good", ""], ["a", "b", "c"]])("are refused at definition: %j", (secret) => {
    expect(() => githubWebhook({ tenant: "acme", secret })).toThrow(expect.objectContaining({ code: "config_invalid" }))
  })
})

describe("options", () => {
  it("have defaults", () => {
    expect(source).toMatchObject({ name: "github", tenant: "acme", maxBodyBytes: 26_214_400 })
  })

  it("can be given", () => {
    const other = githubWebhook({ name: "ghes", tenant: "beta", secret: "s", maxBodyBytes: 1_000 })
    expect(other).toMatchObject({ name: "ghes", tenant: "beta", maxBodyBytes: 1_000 })
  })

  it.each([{ name: "" }, { name: "a/b" }, { maxBodyBytes: 0 }, { maxBodyBytes: 1.5 }, { maxBodyBytes: Number.NaN }])(
    "are refused when wrong: %j",
    (wrong) => {
      const make = () => githubWebhook({ tenant: "acme", secret: SECRET, ...wrong })
      expect(make).toThrow(expect.objectContaining({ code: "config_invalid" }))
    },
  )
})

it("accepts the example of GitHub's documentation, whose body is no JSON, up to its parsing", () => {
  const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
  const documented = request(encode("Hello, World!"), { headers: { "x-hub-signature-256": signature } })
  expect(code(documented)).toBe("body_malformed")
})

interface RequestChanges {
  readonly secret?: string
  readonly event?: string
  readonly delivery?: string
  readonly headers?: Readonly<Record<string, string>>
}

function request(bytes: Uint8Array, changes: RequestChanges = {}): WebhookRequest & { readonly headers: Headers } {
  const { secret = SECRET, event = "issues", delivery = "72d3162e-cc78-11e3-81ab-4c9367dc0958" } = changes
  const headers = new Headers({
    "content-type": "application/json",
    "x-github-event": event,
    "x-github-delivery": delivery,
    "x-hub-signature-256": signatureOf(secret, bytes),
    ...changes.headers,
  })
  return { headers, body: bytes }
}

function signatureOf(secret: string, bytes: Uint8Array): string {
  return `sha256=${createHmac("sha256", secret).update(bytes).digest("hex")}`
}

function code(wrong: WebhookRequest, at = source): string {
  try {
    at.receive(wrong)
  } catch (error) {
    if (isFleetPromptError(error)) return error.code
    throw error
  }
  return "accepted"
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
