import * as fc from "fast-check"
import { Webhook } from "standardwebhooks"
import { expect, test } from "vitest"
import { parseWebhookSecret, signWebhook } from "./standard-webhooks.ts"

const nowSeconds = () => Math.floor(Date.now() / 1_000)

/** base64 of as many bytes, behind the prefix. */
const secretOf = (bytes: Uint8Array) => `whsec_${Buffer.from(bytes).toString("base64")}`

test("the official library's own example gets the same signature", async () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestampSeconds: 1_614_265_330, body: `{"test": 2432232314}` }
  expect(await signWebhook(message, [parseWebhookSecret(secret, "secret")])).toEqual({
    "webhook-id": message.id,
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  })
})

test("the official library accepts whatever is signed, with each of the secrets", async () => {
  const secrets = fc.array(fc.uint8Array({ minLength: 24, maxLength: 64 }), { minLength: 1, maxLength: 3 })
  const body = fc.jsonValue().map((value) => JSON.stringify({ value }))
  await fc.assert(
    fc.asyncProperty(secrets, body, fc.string({ minLength: 1, unit: "binary" }), async (secrets, body, id) => {
      const keys = secrets.map((bytes) => parseWebhookSecret(secretOf(bytes), "secret"))
      const headers = await signWebhook({ id, timestampSeconds: nowSeconds(), body }, keys)
      expect(headers["webhook-id"]).toMatch(/^[\x21-\x2d\x2f-\x7e]+$/)
      for (const secret of secrets) {
        expect(new Webhook(secretOf(secret)).verify(body, headers)).toEqual(JSON.parse(body))
      }
    }),
    { numRuns: 50 },
  )
})

test("it does not accept another body, id, time or secret", async () => {
  const secret = secretOf(new Uint8Array(32).fill(7))
  const message = { id: "a", timestampSeconds: nowSeconds(), body: `{"a":1}` }
  const headers = await signWebhook(message, [parseWebhookSecret(secret, "secret")])
  const verify = (body: string, changes = {}, by = secret) => new Webhook(by).verify(body, { ...headers, ...changes })
  expect(verify(message.body)).toEqual({ a: 1 })
  expect(() => verify(`{"a":2}`)).toThrow("No matching signature found")
  expect(() => verify(message.body, { "webhook-id": "b" })).toThrow("No matching signature found")
  const later = String(message.timestampSeconds + 1)
  expect(() => verify(message.body, { "webhook-timestamp": later })).toThrow("No matching signature found")
  expect(() => verify(message.body, {}, secretOf(new Uint8Array(32)))).toThrow("No matching signature found")
})

test.each([
  ["0192f0c1-0000-7000-8000-000000000000", "0192f0c1-0000-7000-8000-000000000000"],
  ["a.b", "a%2Eb"],
  ["a%2Eb", "a%252Eb"],
  ["a\r\nx: y", "a%0D%0Ax:%20y"],
  ["ü", "%C3%BC"],
])("the id %j is sent as %s", async (id, sent) => {
  const headers = await signWebhook({ id, timestampSeconds: 1, body: "{}" }, [])
  expect(headers["webhook-id"]).toBe(sent)
})

const base64 = (length: number) => Buffer.alloc(length, 7).toString("base64")

test.each([
  base64(32),
  "whsec_",
  `whsec_${base64(23)}`,
  `whsec_${base64(65)}`,
  `whsec_${base64(32)} `,
  `whsec_${"#".repeat(32)}`,
  `whsec_${"A".repeat(33)}`,
  `WHSEC_${base64(32)}`,
])("%j is no secret, and the error does not show it", (secret) => {
  expect(() => parseWebhookSecret(secret, "secret[1]")).toThrow(
    expect.objectContaining({
      code: "dispatch_invalid",
      path: "secret[1]",
      message: `expected "whsec_" and base64 of 24 to 64 bytes as secret[1], got another text (not shown)`,
    }),
  )
})

test.each([24, 64])("%d bytes are a secret", (length) => {
  expect(parseWebhookSecret(`whsec_${base64(length)}`, "secret")).toEqual(new Uint8Array(length).fill(7))
})
