import { describe, expect, test } from "vitest"
import { newId } from "../../../src/signal/id.ts"
import { checkInvariants } from "./check.ts"
import { rememberTerminals } from "./i5-i7-attempts.ts"
import { plantedHistory } from "./planted-history.ts"

const past = plantedHistory()

test("a history in which all is well violates nothing", async () => {
  await rememberTerminals(past.evidence)
  await checkInvariants(["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10"], past.evidence)
})

test("all violations are told at once, each with the invariant's id", async () => {
  await past.plant("delete from org.signals")
  await expect(checkInvariants(["I1", "I3"], past.evidence)).rejects.toThrow(
    /^6 violations:\nI1: .*\nI1: .*\nI1: .*\nI3: /,
  )
})

describe("I1", () => {
  test("finds what was acknowledged and is not stored", async () => {
    await past.plant("delete from org.signals where id = $1", past.ids[0])
    expect(await past.violations("I1")).toEqual([
      expect.stringMatching(`of ${past.slug} was acknowledged as signal ${past.ids[0]}, which is not stored`),
    ])
  })

  test("finds what is stored in other words", async () => {
    await past.plant("alter table org.signals disable trigger all")
    await past.plant(`update org.signals set data = data || '{"n": 7}' where id = $1`, past.ids[0])
    expect(await past.violations("I1")).toContainEqual(
      expect.stringMatching(`signal ${past.ids[0]} of ${past.slug} is not equal to what call`),
    )
  })

  test("finds what nobody asked for", async () => {
    const { signal } = await past.fleet.tenant(past.slug).emit("order.created", { nobody: true })
    expect(await past.violations("I1")).toEqual([
      `signal ${signal.id} of ${past.slug} is stored, and no call asked for it`,
    ])
  })

  test("finds what was refused and is stored", async () => {
    await past.plant("update calls set outcome = 'failed' where signal_id = $1", past.ids[1])
    expect(await past.violations("I1")).toEqual([
      expect.stringMatching(`signals ${past.ids[1]} of ${past.slug} say the same; the calls for it allow 0`),
    ])
  })

  test.each(["pending", "unknown"])("lets a call that is %s be stored, but not twice", async (outcome) => {
    await past.plant("update calls set outcome = $1 where signal_id = $2", outcome, past.ids[1])
    expect(await past.violations("I1")).toEqual([])
    const twin = newId()
    await past.plant(
      `insert into org.signals (id, type, source, data, metadata, occurred_at)
       select $1, type, source, data, metadata, occurred_at from org.signals where id = $2`,
      twin,
      past.ids[1],
    )
    expect(await past.violations("I1")).toEqual([
      expect.stringMatching(`signals ${past.ids[1]}, ${twin} of ${past.slug} say the same; the calls for it allow 1`),
    ])
  })
})

describe("I2", () => {
  test("finds a key that is stored twice", async () => {
    await past.plant("drop index org.signals_dedupe_key_index")
    await past.plant(
      `insert into org.signals (id, type, source, data, metadata, occurred_at, dedupe_key)
       select $1, type, source, data, metadata, occurred_at, 'first' from org.signals where id = $2`,
      newId(),
      past.ids[1],
    )
    expect(await past.violations("I2")).toEqual([
      expect.stringMatching(`key first of ${past.slug} is stored 2 times: ${past.ids[0]}, `),
    ])
  })

  test("finds callers who got different answers", async () => {
    await past.plant(
      `insert into calls (call_id, tenant, type, key, hash, outcome, signal_id, inserted)
       select 'late', tenant, type, key, hash, 'ok', 'another', true from calls where signal_id = $1`,
      past.ids[0],
    )
    expect(await past.violations("I2")).toEqual([
      `callers with key first of ${past.slug} got different ids: ${past.ids[0]}, another`,
      `2 callers with key first of ${past.slug} were told that theirs was stored`,
    ])
  })
})
