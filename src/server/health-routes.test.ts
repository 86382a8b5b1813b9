import { expect, test, vi } from "vitest"
import type { Health } from "../fleet/health.ts"
import { type HealthOptions, healthRoutes } from "./health-routes.ts"

const READY: Health = { ready: true, checks: [{ name: "database", ok: true, detail: "db.internal, 2 ms" }] }
const AWAY: Health = {
  ready: false,
  checks: [
    { name: "started", ok: true, detail: "since noon" },
    { name: "database", ok: false, detail: "db.internal does not answer" },
  ],
}

async function get(path: string, health: () => Promise<Health>, options?: HealthOptions): Promise<Response> {
  return healthRoutes({ health }, options).request(path)
}

test("health is answered however the database is, with name, version and uptime", async () => {
  const response = await get("/health", () => Promise.reject(new Error("away")))
  expect(response.status).toBe(200)
  expect(response.headers.get("cache-control")).toBe("no-store")
  expect(await response.json()).toEqual({
    status: "alive",
    name: "fleetprompt",
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    uptimeSeconds: expect.any(Number),
  })
})

test("a fleet that is ready answers 200", async () => {
  const response = await get("/ready", async () => READY)
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({ ready: true, checks: [{ name: "database", ok: true }] })
})

test("one that is not answers 503 with the names of what fails, and details only when asked", async () => {
  const response = await get("/ready", async () => AWAY)
  expect(response.status).toBe(503)
  expect(response.headers.get("content-type")).toBe("application/problem+json")
  expect(await response.json()).toMatchObject({
    code: "not_ready",
    detail: "expected a fleet that is ready, got one that is not: database; try again later",
  })
  const detailed = await get("/ready", async () => AWAY, { details: true })
  expect(await detailed.text()).toContain("database (db.internal does not answer)")
})

test("one whose health cannot be found out is not ready", async () => {
  const response = await get("/ready", () => Promise.reject(new Error("broken")), { details: true })
  expect(response.status).toBe(503)
  expect(await response.text()).toContain("broken")
})

test("one that does not answer in time is not ready", async () => {
  vi.useFakeTimers()
  try {
    const response = get("/ready", () => new Promise(() => {}))
    await vi.advanceTimersByTimeAsync(3_000)
    expect((await response).status).toBe(503)
  } finally {
    vi.useRealTimers()
  }
})
