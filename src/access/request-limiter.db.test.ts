import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { deleteEndedLimits } from "../store/request-limits.ts"
import { type RequestLimit, RequestLimiter } from "./request-limiter.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

interface Counted {
  readonly limiter: RequestLimiter
  readonly count: (statement: string) => number
}

/** A limiter as another process has it. */
function countedLimiter(maxRemembered?: number): Counted {
  const names: string[] = []
  const engine = interceptDatabase(db.database, ({ name, run }) => {
    names.push(name)
    return run()
  }).hot
  const onError = (error: unknown): void => {
    throw error
  }
  const limiter = new RequestLimiter({ engine, onError, ...(maxRemembered !== undefined && { maxRemembered }) })
  return { limiter, count: (statement) => names.filter((name) => name === statement).length }
}

function limitOf(limit: number, windowMs = 3_600_000): RequestLimit {
  return { name: "test", limit, windowMs }
}

async function allowedOf(
  limiter: RequestLimiter,
  limit: RequestLimit,
  subject: string,
  times: number,
): Promise<number> {
  let allowed = 0
  for (let n = 0; n < times; n++) if ((await limiter.take(limit, subject)).allowed) allowed++
  return allowed
}

// The table is there once a fleet has started.
async function started() {
  return testFleet(db.database, { worker: false })
}

describe("one process", () => {
  test("lets through exactly as many as the limit says, and says what is left", async () => {
    await started()
    const { limiter } = countedLimiter()
    for (const size of [1, 2, 7, 100, 1_000]) {
      const limit = { ...limitOf(size), name: `size-${size}` }
      let last = size
      for (let n = 0; n < size; n++) {
        const { allowed, remaining, resetMs } = await limiter.take(limit, testSlug())
        expect(allowed).toBe(true)
        expect(remaining).toBe(last - 1)
        expect(resetMs).toBeGreaterThan(3_500_000)
        last = remaining
      }
      for (let n = 0; n < 20; n++)
        expect(await limiter.take(limit, testSlug())).toMatchObject({ allowed: false, remaining: 0 })
    }
  })

  test("asks the database for few of them, and for none that are refused", async () => {
    await started()
    const { limiter, count } = countedLimiter()
    const limit = limitOf(1_000)
    expect(await allowedOf(limiter, limit, testSlug(), 1_000)).toBe(1_000)
    await limiter.stop()
    expect(count("takeFromLimits")).toBeLessThan(100)
    const before = count("takeFromLimits")
    expect(await allowedOf(limiter, limit, testSlug(), 5_000)).toBe(0)
    expect(count("takeFromLimits")).toBe(before)
  })

  test("asks nothing for those who ask little", async () => {
    await started()
    const { limiter, count } = countedLimiter()
    for (let n = 0; n < 500; n++) expect((await limiter.take(limitOf(600), `${testSlug()} ${n}`)).allowed).toBe(true)
    expect(count("takeFromLimits")).toBe(0)
  })

  test("lets no more through when all come at once", async () => {
    await started()
    const { limiter } = countedLimiter()
    const verdicts = await Promise.all(Array.from({ length: 3_000 }, () => limiter.take(limitOf(500), testSlug())))
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(500)
  })

  test("begins anew when the window has ended", async () => {
    await started()
    const { limiter } = countedLimiter()
    const limit = limitOf(5, 1_000)
    expect(await allowedOf(limiter, limit, testSlug(), 10)).toBe(5)
    const { resetMs } = await limiter.take(limit, testSlug())
    expect(resetMs).toBeLessThanOrEqual(1_000)
    await expect.poll(async () => (await limiter.take(limit, testSlug())).allowed, { timeout: 30_000 }).toBe(true)
  })

  test("takes several at once or none, and may only ask", async () => {
    await started()
    const { limiter } = countedLimiter()
    const limit = limitOf(10)
    expect((await limiter.take(limit, testSlug(), 7)).allowed).toBe(true)
    expect((await limiter.take(limit, testSlug(), 4)).allowed).toBe(false)
    expect(await limiter.take(limit, testSlug(), 0)).toMatchObject({ allowed: true, remaining: 3 })
    expect((await limiter.take(limit, testSlug(), 3)).allowed).toBe(true)
    expect(await limiter.take(limit, testSlug(), 0)).toMatchObject({ allowed: false, remaining: 0 })
  })

  test("remembers no more clients than it may", async () => {
    await started()
    const { limiter } = countedLimiter(100)
    for (let n = 0; n < 1_000; n++) await limiter.take(limitOf(1_000), `${testSlug()} ${n}`)
    expect(limiter.remembered).toBe(100)
  })
})

describe("several processes", () => {
  test.each([2, 4, 8])(
    "of which %i share a limit let through no more than that, whatever the load",
    async (processes) => {
      await started()
      const limit = { ...limitOf(600), name: `shared-${processes}` }
      const limiters = Array.from({ length: processes }, () => countedLimiter().limiter)
      const allowed = await Promise.all(limiters.map((limiter) => allowedOf(limiter, limit, testSlug(), 600)))
      const sum = allowed.reduce((one, other) => one + other)
      // Each lets the first hundredth through unasked; all of it is told before it asks for more.
      expect(sum).toBeLessThanOrEqual(600 + processes * 6)
      // What one took, it used, so little is wasted.
      expect(sum).toBeGreaterThanOrEqual(540)
    },
  )

  test("waste little when all but one fall silent", async () => {
    await started()
    const limit = limitOf(1_000)
    const limiters = Array.from({ length: 5 }, () => countedLimiter().limiter)
    let allowed = 0
    for (const limiter of limiters) allowed += await allowedOf(limiter, limit, testSlug(), 30)
    const [busy] = limiters
    allowed += await allowedOf(busy as RequestLimiter, limit, testSlug(), 2_000)
    expect(allowed).toBeLessThanOrEqual(1_050)
    // Each of four holds what it took and did not use: no more than it had used before.
    expect(allowed).toBeGreaterThanOrEqual(1_000 - 4 * 30)
  })

  test("wait for each other's rows in one order", async () => {
    await started()
    const limiters = [countedLimiter().limiter, countedLimiter().limiter]
    const subjects = Array.from({ length: 50 }, (_, n) => `${testSlug()} ${n}`)
    const takes = (limiter: RequestLimiter, order: readonly string[]) =>
      Promise.all(order.flatMap((subject) => Array.from({ length: 40 }, () => limiter.take(limitOf(40), subject))))
    const [one, two] = await Promise.all([
      takes(limiters[0] as RequestLimiter, subjects),
      takes(limiters[1] as RequestLimiter, subjects.toReversed()),
    ])
    expect([...one, ...two].filter(({ allowed }) => allowed)).toHaveLength(50 * 40)
  })
})

test("whatever is taken by whichever process, the sum stays within the limit and what each may add unasked", async () => {
  await started()
  let run = 0
  const take = fc.record({ process: fc.nat(3), subject: fc.nat(2), cost: fc.integer({ min: 0, max: 5 }) })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 400 }), fc.array(take, { maxLength: 300 }), async (size, takes) => {
      const limit = { ...limitOf(size), name: `any-${++run}` }
      const limiters = Array.from({ length: 4 }, () => countedLimiter().limiter)
      const sums = [0, 0, 0]
      await Promise.all(
        takes.map(async ({ process, subject, cost }) => {
          const verdict = await limiters[process]?.take(limit, `${testSlug()} ${subject}`, cost)
          expect(verdict?.remaining).toBeGreaterThanOrEqual(0)
          if (verdict?.allowed) sums[subject] = (sums[subject] ?? 0) + cost
        }),
      )
      for (const sum of sums) expect(sum).toBeLessThanOrEqual(size + 4 * Math.floor(size / 100))
    }),
    { numRuns: 40 },
  )
})

test("rows whose windows have ended are removed, in batches, and no others", async () => {
  await started()
  const key = testSlug()
  await db.database.hot.query(
    `insert into fleetprompt.request_limits (key, quota, taken, granted, ends_at)
     select $1 || n, 1, 1, 1, now() + case when n <= 7 then interval '-1 minute' else interval '1 minute' end
     from generate_series(1, 10) as n`,
    [key],
  )
  const counts = [await deleteEndedLimits(db.database.hot, 5)]
  while (counts.at(-1) !== 0) counts.push(await deleteEndedLimits(db.database.hot, 5))
  expect(counts[0]).toBe(5)
  const rows = await db.database.hot.query("select from fleetprompt.request_limits where starts_with(key, $1)", [key])
  expect(rows).toHaveLength(3)
})

describe("the database", () => {
  test("keeps neither addresses nor names, and loses rows whose windows have ended", async () => {
    await started()
    const { limiter } = countedLimiter()
    await limiter.take({ name: "short", limit: 3, windowMs: 1_000 }, "192.0.2.77")
    const rows = await db.database.hot.query<{ row: string }>(
      "select to_jsonb(held)::text as row from fleetprompt.request_limits as held",
    )
    expect(rows.length).toBeGreaterThan(0)
    for (const { row } of rows) expect(row).not.toMatch(/192\.0|short/)
  })

  test("that does not answer leaves each process to count for itself", async () => {
    await started()
    const errors: unknown[] = []
    const engine = { query: () => Promise.reject(new Error("away")) }
    const limiter = new RequestLimiter({ engine, onError: (error) => errors.push(error) })
    expect(await allowedOf(limiter, limitOf(200), testSlug(), 500)).toBe(200)
    expect(errors).toHaveLength(1)
  })
})

test("a fleet's limiter is shared with other fleets, and refuses limits that are none", async () => {
  const { fleet } = await started()
  const { fleet: other } = await testFleet(db.database, { worker: false })
  const limit = limitOf(2)
  expect((await fleet.limiter.take(limit, testSlug())).allowed).toBe(true)
  expect((await other.limiter.take(limit, testSlug())).allowed).toBe(true)
  expect((await fleet.limiter.take(limit, testSlug())).allowed).toBe(false)
  for (const wrong of [{ name: "A" }, { limit: 0 }, { limit: 1.5 }, { windowMs: 10 }])
    await expect(fleet.limiter.take({ ...limit, ...wrong }, "x")).rejects.toMatchObject({ code: "config_invalid" })
})
