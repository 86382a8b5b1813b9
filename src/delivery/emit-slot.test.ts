import fc from "fast-check"
import { expect, test } from "vitest"
import { FleetPromptError } from "../errors.ts"
import { type EmitSlotDeps, emitSlot, spreadOf } from "./emit-slot.ts"
import { defineSchedule } from "./schedule.ts"

const SLOT = Date.parse("2026-05-05T03:00:00Z")
const never = new AbortController().signal
const tenants = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ slug: `tenant_${n}`, class: "standard" }) as const)
const schedule = defineSchedule({ name: "test", cron: "0 3 * * *", emit: { type: "test.due" } })

function deps(emitTo: EmitSlotDeps["emitTo"], count: number, errors: unknown[] = []): EmitSlotDeps {
  return { emitTo, listTenants: async () => tenants(count), onError: (error) => errors.push(error), patienceMs: 300 }
}

test("each tenant gets one signal, at most 16 at a time", async () => {
  let under = 0
  let most = 0
  const got: string[] = []
  const emitTo: EmitSlotDeps["emitTo"] = async (tenant, type, data, options) => {
    most = Math.max(most, ++under)
    await Promise.resolve()
    under--
    got.push(tenant)
    expect([type, data]).toEqual(["test.due", { slot: "2026-05-05T03:00:00.000Z", schedule: "test" }])
    expect(options).toEqual({
      source: "schedule:test",
      dedupeKey: "schedule:test:2026-05-05T03:00:00.000Z",
      onConflict: "existing",
    })
  }
  expect(await emitSlot(schedule, SLOT, never, deps(emitTo, 100))).toBe(100)
  expect(new Set(got).size).toBe(100)
  expect(most).toBe(16)
})

test("recipients of a schedule's own get what they are each to get, under its label", async () => {
  const got: unknown[] = []
  const emitTo: EmitSlotDeps["emitTo"] = async (tenant, type, data, { dedupeKey }) =>
    void got.push([tenant, type, data, dedupeKey])
  const recipients = async (slot: number) => [{ slug: "acme", type: "acme.due", data: { at: slot } }]
  const own = { ...schedule, name: "packages.acme.0a1b", label: "acme.daily", recipients }
  expect(await emitSlot(own, SLOT, never, deps(emitTo, 5))).toBe(1)
  const slot = "2026-05-05T03:00:00.000Z"
  expect(got).toEqual([["acme", "acme.due", { at: SLOT, slot, schedule: "acme.daily" }, `schedule:acme.daily:${slot}`]])
})

test("no tenant is no trouble", async () => {
  expect(
    await emitSlot(
      schedule,
      SLOT,
      never,
      deps(async () => {}, 0),
    ),
  ).toBe(0)
})

test("a tenant whose trouble does not pass goes without after a while, the others do not", async () => {
  const errors: unknown[] = []
  const busy = new FleetPromptError("database_busy", "wait")
  const emitTo = async (tenant: string) => (tenant === "tenant_3" ? Promise.reject(busy) : undefined)
  expect(await emitSlot(schedule, SLOT, never, deps(emitTo, 20, errors))).toBe(19)
  expect(errors).toEqual([busy])
})

test("after an abort, nothing is under way and nothing more begins", async () => {
  const controller = new AbortController()
  let begun = 0
  let ended = 0
  const emitTo = async () => {
    begun++
    await new Promise((resolve) => setImmediate(resolve))
    if (++ended === 20) controller.abort(new Error("stop"))
  }
  await expect(emitSlot(schedule, SLOT, controller.signal, deps(emitTo, 200))).rejects.toThrow("stop")
  expect(ended).toBe(begun)
  expect(begun).toBeLessThan(20 + 16)
})

test("an abort ends the wait for a place in the spread", async () => {
  const controller = new AbortController()
  const spread = defineSchedule({ name: "test", cron: "@daily", emit: { type: "test.due" }, spreadMs: 3_600_000 })
  const emitting = emitSlot(
    spread,
    SLOT,
    controller.signal,
    deps(async () => {}, 40),
  )
  controller.abort(new Error("stop"))
  await expect(emitting).rejects.toThrow("stop")
})

test("a tenant's place in the spread is its own and always the same", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.integer({ min: 0, max: 3_600_000 }), (name, slug, spreadMs) => {
      const place = spreadOf(name, slug, spreadMs)
      expect(place).toBe(spreadOf(name, slug, spreadMs))
      expect(place).toBeGreaterThanOrEqual(0)
      expect(place).toBeLessThan(Math.max(1, spreadMs))
    }),
  )
  const places = tenants(1_000).map(({ slug }) => spreadOf("test", slug, 10))
  for (let tenth = 0; tenth < 10; tenth++) expect(places.filter((place) => place === tenth).length).toBeGreaterThan(60)
})
