import { once } from "node:events"
import { gzipSync } from "node:zlib"
import { describe, expect, test } from "vitest"
import { alwaysStatus, BODY_MS, endpointsForTests, setUpHttp } from "../../../test/support/http-adapter.ts"
import { startEndpoint } from "../../../test/support/local-endpoint.ts"

const endpointThat = endpointsForTests()

describe("what may pass is tried again", () => {
  test.each([408, 425, 429, 500, 501, 502, 503, 504, 599])("status %d", async (status) => {
    const endpoint = await endpointThat(alwaysStatus(status))
    const { clock, send } = setUpHttp()
    const sent = send({ url: endpoint.url })
    for (const delayMs of [500, 1_000, 2_000]) {
      await clock.waitedFor(delayMs)
      clock.advance(delayMs)
    }
    await expect(sent).rejects.toMatchObject({ code: "dispatch_failed", status })
    expect(endpoint.received.length).toBe(4)
    expect(clock.delays).toEqual([])
  })

  test("a connection that is reset", async () => {
    const endpoint = await endpointThat((response, _, count) => {
      if (count === 1) response.socket?.resetAndDestroy()
      else response.writeHead(204).end()
    })
    const { clock, send } = setUpHttp()
    const sent = send({ url: endpoint.url })
    await clock.waitedFor(500)
    clock.advance(500)
    await sent
    expect(endpoint.received.length).toBe(2)
  })

  test("an endpoint that does not listen", async () => {
    const endpoint = await startEndpoint()
    await endpoint.close()
    const { send } = setUpHttp()
    const sent = send({ url: endpoint.url, retry: { maxAttempts: 1 } })
    await expect(sent).rejects.toMatchObject({
      code: "dispatch_failed",
      status: undefined,
      message: expect.stringContaining("ECONNREFUSED"),
    })
  })

  test("an endpoint that answers nothing, after the timeout of a try", async () => {
    const closed: Promise<unknown>[] = []
    const endpoint = await endpointThat((response, _, count) => {
      closed.push(once(response, "close"))
      if (count === 2) response.writeHead(204).end()
    })
    const { breaker, clock, send } = setUpHttp()
    const sent = send({ url: endpoint.url })
    await endpoint.arrived(1)
    clock.advance(15_000)
    await clock.waitedFor(500)
    expect(breaker.state(endpoint.url)).toEqual({ kind: "closed", failures: 1 })
    await closed[0]
    clock.advance(500)
    await sent
    expect(clock.delays).toEqual([])
  })
})

describe("what does not pass is not tried again", () => {
  test.each([400, 401, 402, 403, 404, 405, 406, 409, 411, 413, 415, 422, 426, 451])("status %d", async (status) => {
    const endpoint = await endpointThat(alwaysStatus(status))
    const { breaker, send } = setUpHttp()
    await expect(send({ url: endpoint.url })).rejects.toMatchObject({ code: "dispatch_refused", status })
    expect(endpoint.received.length).toBe(1)
    expect(breaker.state(endpoint.url)).toEqual({ kind: "closed", failures: 0 })
  })

  test("410 says that the endpoint is gone", async () => {
    const endpoint = await endpointThat(alwaysStatus(410))
    await expect(setUpHttp().send({ url: endpoint.url })).rejects.toMatchObject({ code: "dispatch_gone", status: 410 })
    expect(endpoint.received.length).toBe(1)
  })

  test.each([300, 301, 302, 303, 304, 307, 308])("a redirect with %d is not followed", async (status) => {
    const elsewhere = await endpointThat()
    const endpoint = await endpointThat((response) => response.writeHead(status, { location: elsewhere.url }).end())
    await expect(setUpHttp().send({ url: endpoint.url })).rejects.toMatchObject({
      code: "dispatch_refused",
      status,
      message: expect.stringContaining("redirects are not followed"),
    })
    expect([endpoint.received.length, elsewhere.received.length]).toEqual([1, 0])
  })

  test("a redirect as browsers show it", async () => {
    const answer = { status: 0, type: "opaqueredirect", headers: new Headers(), body: null }
    const { send } = setUpHttp({ fetch: () => Promise.resolve(answer) })
    await expect(send({ url: "https://a.example" })).rejects.toMatchObject({
      code: "dispatch_refused",
      status: undefined,
    })
  })
})

describe("the body of an answer", () => {
  test("that drips does not hold the delivery, and its connection is closed", async () => {
    let closed: Promise<unknown> = Promise.resolve()
    const endpoint = await endpointThat((response) => {
      const timer = setInterval(() => response.write("."), 5)
      closed = once(response, "close").then(() => clearInterval(timer))
      response.writeHead(200).write(".")
    })
    const { clock, send } = setUpHttp()
    const sent = send({ url: endpoint.url })
    await clock.waitedFor(BODY_MS)
    clock.advance(BODY_MS)
    await sent
    await closed
    expect(clock.delays).toEqual([])
  })

  test.each([
    ["without an end", { "content-type": "text/plain" }, Buffer.alloc(65_536)],
    ["that unpacks to more and more", { "content-encoding": "gzip" }, gzipSync(Buffer.alloc(10_000_000))],
  ])("%s is given up, and its connection is closed", async (_, headers, chunk) => {
    let closed: Promise<unknown> = Promise.resolve()
    let written = 0
    const endpoint = await endpointThat((response) => {
      const pump = () => {
        while (!response.destroyed && response.write(chunk)) written += chunk.length
      }
      closed = once(response, "close")
      response.writeHead(200, headers).on("drain", pump)
      pump()
    })
    await setUpHttp().send({ url: endpoint.url })
    await closed
    // What the socket's buffers took before; without a limit it would not end.
    expect(written).toBeLessThan(50_000_000)
  })

  test("that breaks off does not undo a success", async () => {
    const endpoint = await endpointThat((response) => {
      response.writeHead(200, { "content-length": "100" }).write("half", () => response.socket?.resetAndDestroy())
    })
    await setUpHttp().send({ url: endpoint.url })
    expect(endpoint.received.length).toBe(1)
  })

  test("that is short is read to its end, so that the connection is used again", async () => {
    let finish: () => void = () => {}
    const endpoint = await endpointThat((response) => {
      response.writeHead(200).flushHeaders()
      finish = () => response.end("taken")
    })
    const { clock, send } = setUpHttp()
    for (let count = 0; count < 20; count++) {
      const sent = send({ url: endpoint.url })
      await clock.waitedFor(BODY_MS)
      finish()
      await sent
    }
    // Two, because fetch frees the first one a moment after the body's end.
    expect(endpoint.connections()).toBeLessThanOrEqual(2)
  })
})
