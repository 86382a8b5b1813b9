import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { WebhookRequest, WebhookSource } from "../src/connectors/webhook-source.ts"
import { isFleetPromptError } from "../src/errors.ts"

/** What the contract needs to know of a provider. */
export interface WebhookSourceFixtures {
  /** Makes the source that trusts a secret. */
  readonly create: (secret: string) => WebhookSource
  /** A request as the provider would send it: this body, this event id, signed with this secret. */
  readonly request: (secret: string, body: Uint8Array, eventId: string) => WebhookRequest | Promise<WebhookRequest>
  /** A body the provider could send. */
  readonly body: Uint8Array
  /** A body that does not parse. */
  readonly malformedBody: Uint8Array
  /** The header that holds the signature. */
  readonly signatureHeader: string
}

const SECRET = "It's a Secret to Everybody"
const EVENT_ID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"

/**
 * How every webhook source must behave. A vitest suite.
 *
 * @example
 * webhookSourceContract("github", { create: (secret) => githubWebhook({ tenant: "acme", secret }), ... })
 */
export function webhookSourceContract(name: string, fixtures: WebhookSourceFixtures): void {
  const source = fixtures.create(SECRET)
  const genuine = () => fixtures.request(SECRET, fixtures.body, EVENT_ID)

  describe(`webhook source ${name}`, () => {
    it("has a name that fits into an address and a limit for bodies", () => {
      expect(source.name).toMatch(/^[A-Za-z0-9_-]+$/)
      expect(source.maxBodyBytes).toBeGreaterThan(0)
    })

    it("accepts a genuine request", async () => {
      const event = source.receive(await genuine())
      expect(event).toMatchObject({ sourceEventId: EVENT_ID, source: expect.stringMatching(/^webhook:/) })
      expect(event?.type).toMatch(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/)
      expect(event?.data).toBeDefined()
    })

    it("gives a redelivery the same event id, and another event another", async () => {
      const first = source.receive(await genuine())
      const again = source.receive(await genuine())
      const other = source.receive(await fixtures.request(SECRET, fixtures.body, EVENT_ID.replaceAll("7", "8")))
      expect(again).toEqual(first)
      expect(other?.sourceEventId).not.toBe(first?.sourceEventId)
    })

    it("leaves the request's body as it was", async () => {
      const request = await genuine()
      const before = Uint8Array.from(request.body)
      source.receive(request)
      expect(request.body).toEqual(before)
    })

    it("refuses a body with any one bit changed, parsing or not", async () => {
      const request = await genuine()
      fc.assert(
        fc.property(fc.nat(request.body.length - 1), fc.nat(7), (index, bit) => {
          const body = Uint8Array.from(request.body, (byte, at) => (at === index ? byte ^ (1 << bit) : byte))
          expect(codeOf(source, { headers: request.headers, body })).toBe("webhook_signature_invalid")
        }),
      )
    })

    it("refuses a body that was cut or lengthened", async () => {
      const { headers, body } = await genuine()
      for (const other of [body.subarray(1), body.subarray(0, -1), Uint8Array.of(...body, 32), new Uint8Array()]) {
        expect(codeOf(source, { headers, body: other })).toBe("webhook_signature_invalid")
      }
    })

    it("refuses a request signed with another secret", async () => {
      const request = await fixtures.request(`${SECRET}!`, fixtures.body, EVENT_ID)
      expect(codeOf(source, request)).toBe("webhook_signature_invalid")
    })

    it("refuses a request without a signature", async () => {
      const { headers, body } = await genuine()
      const unsigned = new Headers(headers)
      unsigned.delete(fixtures.signatureHeader)
      expect(codeOf(source, { headers: unsigned, body })).toBe("webhook_signature_invalid")
    })

    it("verifies before it parses: a malformed body is malformed only when its signature is right", async () => {
      const signed = await fixtures.request(SECRET, fixtures.malformedBody, EVENT_ID)
      const forged = await fixtures.request(`${SECRET}!`, fixtures.malformedBody, EVENT_ID)
      expect(codeOf(source, signed)).toBe("body_malformed")
      expect(codeOf(source, forged)).toBe("webhook_signature_invalid")
    })

    it("throws nothing but its own errors, whatever bytes come, signed or not", async () => {
      await fc.assert(
        fc.asyncProperty(hostileBody(fixtures.body), fc.boolean(), headerChanges(), async (body, signed, changes) => {
          const request = await fixtures.request(signed ? SECRET : "wrong", body, EVENT_ID)
          const headers = new Headers(request.headers)
          for (const [key, value] of changes) headers.set(key, value)
          const code = codeOf(source, { headers, body })
          if (!signed) expect(code).toBe("webhook_signature_invalid")
        }),
      )
    })

    it("never tells the secret or the body in an error", async () => {
      const { headers } = await genuine()
      const body = new TextEncoder().encode("{hunter2")
      for (const request of [{ headers, body }, await fixtures.request(SECRET, body, EVENT_ID)]) {
        expect(textOf(errorOf(source, request))).not.toMatch(/hunter2|Secret to Everybody/)
      }
    })
  })
}

/** Random bytes, random JSON, and the genuine body with something spliced in. */
function hostileBody(genuine: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
    fc.tuple(fc.nat(genuine.length), fc.uint8Array({ minLength: 1, maxLength: 20 })).map(([at, bytes]) => {
      return Uint8Array.of(...genuine.subarray(0, at), ...bytes, ...genuine.subarray(at))
    }),
  )
}

/** Headers that no signature covers, set to any text a header may hold. */
function headerChanges(): fc.Arbitrary<readonly (readonly [string, string])[]> {
  const names = ["content-type", "x-github-event", "x-github-delivery", "webhook-id", "webhook-timestamp", "x-other"]
  const text = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCodePoint(code)) })
  return fc.array(
    fc.tuple(fc.constantFrom(...names), fc.oneof(text, fc.constant("application/x-www-form-urlencoded"))),
    {
      maxLength: 3,
    },
  )
}

/** The code of the error a request meets; undefined when it is accepted. Any other error fails the test. */
function codeOf(source: WebhookSource, request: WebhookRequest): string | undefined {
  const error = errorOf(source, request)
  if (error === undefined || isFleetPromptError(error)) return error?.code
  throw error
}

function errorOf(source: WebhookSource, request: WebhookRequest): unknown {
  try {
    source.receive(request)
    return undefined
  } catch (error) {
    return error
  }
}

/** An error with all that a log would show of it. */
function textOf(error: unknown): string {
  return error instanceof Error ? `${error.message} ${textOf(error.cause)}` : String(error)
}
