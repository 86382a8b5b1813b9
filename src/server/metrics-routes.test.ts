import { describe, expect, test } from "vitest"
import { metricsRoutes } from "./metrics-routes.ts"

const TOKEN = "a long enough token".replaceAll(" ", "-")
const metrics = { contentType: "text/plain; version=0.0.4; charset=utf-8", text: async () => "up 1\n" }

test("GET /metrics answers the text, not to be kept", async () => {
  const response = await metricsRoutes(metrics).request("/metrics")
  expect(response.status).toBe(200)
  expect(await response.text()).toBe("up 1\n")
  expect(response.headers.get("content-type")).toBe(metrics.contentType)
  expect(response.headers.get("cache-control")).toBe("no-store")
  expect((await metricsRoutes(metrics).request("/metrics", { method: "POST" })).status).toBe(404)
})

describe("with a token", () => {
  test.each([`Bearer ${TOKEN}`, `bearer  ${TOKEN}`])("%j may read", async (authorization) => {
    const response = await metricsRoutes(metrics, { token: TOKEN }).request("/metrics", { headers: { authorization } })
    expect(response.status).toBe(200)
  })

  test.each([undefined, "", "Bearer", "Bearer ", TOKEN, `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, `Bearer ${TOKEN} x`])(
    "%j may not",
    async (authorization) => {
      const headers = authorization === undefined ? {} : { authorization }
      const response = await metricsRoutes(metrics, { token: TOKEN }).request("/metrics", { headers })
      expect(response.status).toBe(401)
      expect(response.headers.get("www-authenticate")).toBe("Bearer")
      const text = await response.text()
      expect(JSON.parse(text)).toMatchObject({ code: "unauthenticated" })
      expect(text).not.toContain(TOKEN)
    },
  )

  test.each(["", "short"])("one as short as %j is refused at once", (token) => {
    expect(() => metricsRoutes(metrics, { token })).toThrow(expect.objectContaining({ code: "config_invalid" }))
  })
})
