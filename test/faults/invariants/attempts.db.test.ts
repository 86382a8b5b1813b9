import { describe, expect, test } from "vitest"
import { rememberTerminals } from "./i5-i7-attempts.ts"
import { plantedHistory } from "./planted-history.ts"

const past = plantedHistory()

/** One more row in the tenant's attempts, like the one of its first signal but for what is given. */
function attempt(changes: {
  readonly attempt?: number
  readonly outcome?: string
  readonly worker?: string
}): Promise<void> {
  return past.plant(
    `insert into org.attempts (signal_id, handler, attempt, outcome, worker, started_at, finished_at)
     select signal_id, handler, $2::integer, $3, coalesce($4, worker), now(), now() from org.attempts where signal_id = $1`,
    past.ids[0],
    changes.attempt ?? 1,
    changes.outcome ?? "done",
    changes.worker ?? null,
  )
}

function invocation(number: number, worker: string): Promise<void> {
  return past.plant(
    `insert into invocations (id, tenant, signal_id, handler, delivery_id, attempt, worker, pid)
     select gen_random_uuid(), tenant, signal_id, handler, delivery_id, $2::integer, $3, 1 from invocations where signal_id = $1`,
    past.ids[0],
    number,
    worker,
  )
}

describe("I5", () => {
  test("finds an attempt that was booked twice", async () => {
    await attempt({ outcome: "lost", worker: "late" })
    expect(await past.violations("I5")).toEqual([
      expect.stringMatching(
        `attempt 1 of ${past.ids[0]} ledger.write of ${past.slug} was booked 2 times: done by .*, lost by late`,
      ),
    ])
  })

  test("lets a debounce leave out what was tried before, and nothing else", async () => {
    await past.plant("update org.attempts set outcome = 'lost' where signal_id = $1", past.ids[0])
    await attempt({ outcome: "cancelled" })
    expect(await past.violations("I5")).toEqual([expect.stringMatching("was booked 2 times: lost by .*, cancelled by")])
    await past.plant(`update org.attempts set error = '{"name": "Superseded"}' where outcome = 'cancelled'`)
    expect(await past.violations("I5")).toEqual([])
  })

  test("finds a completion by who did not run the attempt", async () => {
    await past.plant("update org.attempts set worker = 'late' where signal_id = $1", past.ids[0])
    expect(await past.violations("I5")).toEqual([
      `attempt 1 of ${past.ids[0]} ledger.write of ${past.slug} is booked as done by late, which did not run it`,
    ])
  })

  test("finds a completion after another worker had begun the next attempt", async () => {
    await invocation(2, "second")
    expect(await past.violations("I5")).toEqual([
      expect.stringMatching(
        `attempt 1 of ${past.ids[0]} .* is booked as done by .*, though second had begun attempt 2`,
      ),
    ])
  })
})

describe("I6", () => {
  test("finds a delivery that ended twice, and one that went on after its end", async () => {
    await attempt({ outcome: "cancelled", attempt: 2 })
    expect(await past.violations("I6")).toEqual([
      `${past.ids[0]} ledger.write of ${past.slug} ended 2 times: done, cancelled`,
      `${past.ids[0]} ledger.write of ${past.slug} was done in attempt 1, and attempt 2 came after it`,
    ])
  })

  test("finds a terminal state that is gone", async () => {
    await rememberTerminals(past.evidence)
    await past.plant("update org.attempts set outcome = 'failed' where signal_id = $1", past.ids[0])
    expect(await past.violations("I6")).toEqual([
      `${past.ids[0]} ledger.write done in attempt 1 of ${past.slug} was a terminal state and is gone`,
    ])
  })
})

describe("I7", () => {
  test("finds an attempt above the maximum", async () => {
    await attempt({ attempt: 6, outcome: "failed" })
    expect(await past.violations("I7")).toEqual([
      `attempt 6 of ${past.ids[0]} ledger.write of ${past.slug} is above the maximum, 5`,
    ])
  })

  test("finds a number that was used for two calls", async () => {
    await invocation(1, "second")
    expect(await past.violations("I7")).toEqual([
      expect.stringMatching(
        `attempt 1 of ${past.ids[0]} ledger.write of ${past.slug} was begun 2 times, by .*, second`,
      ),
    ])
  })
})
