import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Intercept, interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet } from "../../test/support/test-fleet.ts"
import { FleetPromptError } from "../errors.ts"
import type { Tenant } from "../tenants/tenant.ts"
import { defineHandler } from "./handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const handler = defineHandler({ name: "h", on: "**", run: () => {} })
/** Emits one after the other, so that each comes in the turn in which the run for the one before ended. */
const EMITS = 20

/** Whether a statement that stores signals books attempts too: it has the parameters for them. */
function isCarrying(values: readonly unknown[]): boolean {
  return values.length > 20
}

async function emitInTurn(intercept: Intercept) {
  const telemetry: string[] = []
  const { fleet, tenant } = await testFleet(interceptDatabase(db.database, intercept), { handlers: [handler] })
  fleet.telemetry.listen((name) => void telemetry.push(name))
  for (let n = 0; n < EMITS; n++) await tenant.emit("item.added", { n })
  await fleet.drain()
  return { tenant, told: (name: string) => telemetry.filter((each) => each === name).length }
}

/** How many attempts a tenant has, by outcome. */
function attemptsOf({ slug }: Tenant): Promise<readonly object[]> {
  return db.database.query(
    `select outcome, count(*)::integer as attempts, count(distinct signal_id)::integer as signals
     from org_${slug}.attempts group by outcome`,
  )
}

describe("attempts that succeeded", () => {
  test("are booked by the statement that stores the next signals", async () => {
    let carrying = 0
    let alone = 0
    const { tenant, told } = await emitInTurn(({ name, values, run }) => {
      if (name === "insertSignals" && isCarrying(values)) carrying += 1
      if (name === "completeDeliveries") alone += 1
      return run()
    })
    expect(carrying).toBeGreaterThanOrEqual(EMITS / 2)
    expect(alone).toBeLessThanOrEqual(EMITS / 2)
    expect(await attemptsOf(tenant)).toEqual([{ outcome: "done", attempts: EMITS, signals: EMITS }])
    expect([told("delivery.settled"), told("delivery.lost")]).toEqual([EMITS, 0])
  })

  test.each(["before", "after"])(
    "are booked once when the line breaks %s that statement is carried out",
    async (when) => {
      let losses = 0
      const { tenant, told } = await emitInTurn(async ({ name, values, run }) => {
        const isLost = name === "insertSignals" && isCarrying(values) && losses < 3
        if (!isLost) return run()
        losses += 1
        if (when === "after") await run()
        throw new FleetPromptError("database_connection_lost", "the test cut the line")
      })
      expect(losses).toBe(3)
      expect(await attemptsOf(tenant)).toEqual([{ outcome: "done", attempts: EMITS, signals: EMITS }])
      expect([told("delivery.settled"), told("delivery.lost")]).toEqual([EMITS, 0])
    },
  )

  test("are booked although the database refuses that statement, and the signals are stored", async () => {
    let refusals = 0
    const { tenant, told } = await emitInTurn(({ name, values, run }) => {
      if (name !== "insertSignals" || !isCarrying(values)) return run()
      refusals += 1
      return Promise.reject(Object.assign(new Error("the test refuses it"), { code: "22000" }))
    })
    expect(refusals).toBeGreaterThan(0)
    expect(await attemptsOf(tenant)).toEqual([{ outcome: "done", attempts: EMITS, signals: EMITS }])
    expect(told("delivery.lost")).toBe(0)
  })
})
