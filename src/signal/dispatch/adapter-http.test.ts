import { inspect } from "node:util"
import { describe, expect, test } from "vitest"
import {
  alwaysStatus,
  endpointsForTests,
  leadReceived,
  newContext,
  setUpHttp,
} from "../../../test/support/http-adapter.ts"
import type { Answer } from "../../../test/support/local-endpoint.ts"
import { httpAdapter } from "./adapter-http.ts"
import { fromHttp } from "../codecs/codec-http.ts"

const endpointThat = endpointsForTests()

test("an endpoint gets the signal as a structured CloudEvent", async () => {
  const endpoint = await endpointThat()
  await setUpHttp().send({ url: endpoint.url, headers: { Authorization: "Bearer t" } })
  const [request] = endpoint.received
  expect(request).toMatchObject({ method: "POST", url: "/in", headers: { authorization: "Bearer t" } })
  expect(fromHttp(request ?? { headers: {} })).toEqual(leadReceived)
  expect(JSON.parse(request?.body ?? "")).toEqual(leadReceived)
})

test("in binary mode it gets data as body and the rest as headers", async () => {
  const endpoint = await endpointThat()
  await setUpHttp().send({ url: endpoint.url, mode: "binary", method: "PUT" })
  const [request] = endpoint.received
  expect(request).toMatchObject({ method: "PUT", body: `{"leadId":"123"}`, headers: { "ce-type": "lead.received" } })
  expect(fromHttp(request ?? { headers: {} })).toEqual({ ...leadReceived, datacontenttype: "application/json" })
})

test("a header of the options stands in place of its own", async () => {
  const endpoint = await endpointThat()
  await setUpHttp().send({ url: endpoint.url, headers: { "Content-Type": "application/json" } })
  expect(endpoint.received[0]?.headers["content-type"]).toBe("application/json")
})

test("bytes go out as they are", async () => {
  const endpoint = await endpointThat()
  const { adapter } = setUpHttp()
  const bytes = { ...leadReceived, data: null, data_base64: "AQID", datacontenttype: "image/png" }
  await adapter.deliver(bytes, adapter.validate({ url: endpoint.url, mode: "binary" }), newContext())
  expect(endpoint.received[0]).toMatchObject({ body: "\u0001\u0002\u0003", headers: { "content-type": "image/png" } })
})

test("a signal that binary mode cannot carry is refused for good", async () => {
  const { adapter } = setUpHttp()
  const picture = { ...leadReceived, datacontenttype: "image/png" }
  const sent = adapter.deliver(picture, adapter.validate({ url: "http://a.example", mode: "binary" }), newContext())
  await expect(sent).rejects.toMatchObject({ code: "dispatch_refused", cause: { code: "signal_invalid" } })
})

test("no error shows the path and query of a url or the value of a header", async () => {
  const marker = "s3cr3t-marker"
  const answers: Answer[] = [
    ...[302, 400, 410, 503].map(alwaysStatus),
    (response) => void response.socket?.resetAndDestroy(),
  ]
  for (const answer of answers) {
    const endpoint = await endpointThat(answer)
    const options = { url: `${endpoint.url}/${marker}?key=${marker}`, headers: { "x-key": marker } }
    const error: unknown = await setUpHttp()
      .send({ ...options, retry: { maxAttempts: 1 } })
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(marker)
  }
  const likeDeno = () => Promise.reject(new TypeError(`error sending request for url (https://a.example/${marker})`))
  const error: unknown = await setUpHttp({ fetch: likeDeno })
    .send({ url: `https://a.example/${marker}`, retry: { maxAttempts: 1 } })
    .catch((thrown: unknown) => thrown)
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(marker)
})

describe("options", () => {
  const url = "https://a.example/in"

  test.each([
    ["url", {}],
    ["url", { url: 1 }],
    ["url", { url: "/in" }],
    ["url", { url: "ftp://a.example" }],
    ["url", { url: "javascript:alert(1)" }],
    ["url", { url: "https://user:pass@a.example/" }],
    ["url", { url: "https://user@a.example/" }],
    ["url", { url: " https://a.example" }],
    ["url", { url: "https://a.example/\nx" }],
    ["method", { url, method: "GET" }],
    ["method", { url, method: "post" }],
    ["mode", { url, mode: "batch" }],
    ["headers", { url, headers: "a: b" }],
    ["headers", { url, headers: { "a b": "c" } }],
    ["headers", { url, headers: { "a\r\nb": "c" } }],
    ["headers.x", { url, headers: { x: "a\r\nb: c" } }],
    ["headers.x", { url, headers: { x: "a\u0000" } }],
    ["headers.x", { url, headers: { x: "ü" } }],
    ["headers.x", { url, headers: { x: 1 } }],
    ["headers.x", { url, headers: { x: "1", X: "2" } }],
    ["headers.host", { url, headers: { Host: "b.example" } }],
    ["headers.content-length", { url, headers: { "Content-Length": "0" } }],
    ["headers.transfer-encoding", { url, headers: { "transfer-encoding": "chunked" } }],
    ["timeoutMs", { url, timeoutMs: 0 }],
    ["timeoutMs", { url, timeoutMs: 2 ** 31 }],
    ["timeoutMs", { url, timeoutMs: "5" }],
    ["maxRetryAfterMs", { url, maxRetryAfterMs: -1 }],
    ["retry", { url, retry: 3 }],
    ["retry.maxAttempts", { url, retry: { maxAttempts: 0 } }],
    ["retry.maxAttempts", { url, retry: { maxAttempts: 101 } }],
    ["retry.totalMs", { url, retry: { totalMs: 0 } }],
    ["retry.attempts", { url, retry: { attempts: 3 } }],
    ["timeout", { url, timeout: 3 }],
  ])("%s is named as wrong in %j", (path, options) => {
    expect(() => setUpHttp().adapter.validate(options)).toThrow(
      expect.objectContaining({ code: "dispatch_invalid", path }),
    )
  })

  test("a message about a url or a header does not show it", () => {
    const marker = "s3cr3t"
    for (const options of [{ url: `https://u:${marker}@a.example` }, { url, headers: { x: `${marker}\n` } }]) {
      expect(() => setUpHttp().adapter.validate(options)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining(marker) }),
      )
    }
  })

  test("the defaults are those of the documentation", () => {
    expect(setUpHttp().adapter.validate({ to: "http", url })).toEqual({
      target: {
        url,
        method: "POST",
        headers: {},
        timeoutMs: 15_000,
        maxRetryAfterMs: 600_000,
        retry: { maxAttempts: 4, baseDelayMs: 500, maxDelayMs: 10_000, totalMs: 60_000 },
      },
      mode: "structured",
    })
  })

  test.each([{ maxResponseBytes: -1 }, { responseBodyMs: 0.5 }])("the setting %j is refused", (settings) => {
    expect(() => httpAdapter(settings)).toThrow(expect.objectContaining({ code: "config_invalid" }))
  })
})
