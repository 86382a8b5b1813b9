import { afterEach, beforeEach, expect, test, vi } from "vitest"
import type { AuditEntry } from "../audit/audit-entry.ts"
import { DenialLog } from "./denial-log.ts"
import type { Permission } from "./policies.ts"
import type { Denied } from "./policy.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

interface Noted extends AuditEntry {
  readonly tenant: string
}

function denialLog(fails = false) {
  const noted: Noted[] = []
  const errors: unknown[] = []
  const log = new DenialLog({
    append: async (tenant, entries) => {
      if (fails) throw new Error("the database is away")
      noted.push(...entries.map((entry) => ({ tenant, ...entry })))
    },
    onError: (error) => void errors.push(error),
  })
  return { log, noted, errors }
}

function denied(id: string, action: Permission = "credentials:read", tenant = "acme"): Denied {
  const principal = { kind: "user", id, tenant, role: "member" } as const
  return { principal, action, resource: {}, denial: { kind: "role", roles: ["owner"] } }
}

test("the first is noted at once, those of the next minute as one with their number", async () => {
  const { log, noted } = denialLog()
  for (let times = 0; times < 1_000; times++) log.add(denied("mia"))
  await vi.advanceTimersByTimeAsync(0)
  expect(noted).toEqual([
    {
      tenant: "acme",
      action: "credentials.read",
      resource: "credentials:*",
      actor: { kind: "user", id: "mia", role: "member" },
      outcome: "denied",
      details: { reason: "role" },
    },
  ])
  await vi.advanceTimersByTimeAsync(60_000)
  expect(noted).toHaveLength(2)
  expect(noted[1]?.details).toEqual({ reason: "role", timesMore: 999 })
  await vi.advanceTimersByTimeAsync(600_000)
  expect(noted).toHaveLength(2)
  log.add(denied("mia"))
  await log.flush()
  expect(noted).toHaveLength(3)
})

test("a loop over many names fills no log and no memory", async () => {
  const { log, noted } = denialLog()
  for (let id = 0; id < 20_000; id++) log.add(denied(`p${id}`))
  for (let tenant = 0; tenant < 20_000; tenant++) log.add(denied("mia", "signals:read", `t${tenant}`))
  await log.flush()
  expect(noted.filter(({ tenant }) => tenant === "acme")).toHaveLength(50)
  expect(noted).toHaveLength(2_000)
})

test("what cannot be noted is told, and harms nobody", async () => {
  const { log, errors } = denialLog(true)
  log.add(denied("mia"))
  await log.flush()
  expect(errors).toHaveLength(1)
})
