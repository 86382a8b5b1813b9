import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { withTestKeys } from "../../test/support/test-keys.ts"
import { newId } from "../signal/id.ts"
import type { Database } from "../store/database.ts"
import { actingAs, actingFor } from "./acting.ts"
import type { ApiKeyOptions } from "./api-key-options.ts"
import { makeApiKey, readApiKey } from "./api-key-text.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const host = { kind: "host", id: "person-1" } as const
const options: ApiKeyOptions = { name: "import", role: "admin", owner: host }
const by = actingFor({ kind: "user", id: "somebody", role: "owner" })

function keyFleet() {
  return testFleet(db.database, withTestKeys())
}

describe("a key", () => {
  test("says whose it is, its tenant from nothing but itself", async () => {
    const { fleet, tenant } = await keyFleet()
    const { key, record } = await tenant.apiKeys.create({ ...options, scopes: ["signals:read"] }, { by })
    expect(await fleet.apiKeys.check(key)).toEqual({
      kind: "api_key",
      id: record.id,
      key: record.id,
      tenant: tenant.slug,
      role: "admin",
      scopes: ["signals:read"],
    })
    expect(record).toMatchObject({ name: "import", status: "active", createdBy: "user:somebody", owner: host })
    const days = ((record.expiresAt?.getTime() ?? 0) - record.createdAt.getTime()) / 86_400_000
    expect(days).toBe(90)
  })

  test("stands nowhere in the database", async () => {
    const { tenant } = await keyFleet()
    const { key, record } = await tenant.apiKeys.create(options)
    const rows = await db.database.owner.query<{ row: string }>(
      "select to_jsonb(key)::text as row from fleetprompt.api_keys as key where id = $1",
      [record.id],
    )
    expect(rows).toHaveLength(1)
    expect(rows[0]?.row).not.toContain(key.slice(-38))
    expect(rows[0]?.row).not.toContain(key.slice(-38, -6))
    expect(JSON.stringify(await tenant.apiKeys.list())).not.toContain(key.slice(-38))
  })

  test("that is cut, extended, of another secret, id or environment is nobody's", async () => {
    const { fleet, tenant } = await keyFleet()
    const { key } = await tenant.apiKeys.create(options)
    const other = await tenant.apiKeys.create(options)
    // The id of one with the secret of the other, and a tail that fits.
    const [, , id] = key.split("_")
    const forged = makeApiKey("test").text.replace(/^fp_test_[^_]+/, `fp_test_${id}`)
    for (const wrong of [
      key.slice(0, -1),
      `${key}a`,
      ` ${key}`,
      forged,
      other.key.replace(/_[^_]+$/, `_${key.slice(-38)}`),
    ])
      expect(await fleet.apiKeys.check(wrong)).toBeUndefined()
    expect(await fleet.apiKeys.check(makeApiKey("test").text)).toBeUndefined()
    expect(await fleet.apiKeys.check(makeApiKey("live").text)).toBeUndefined()
    expect(await fleet.apiKeys.check(key)).toBeDefined()
  })

  test("with a right tail but another secret is refused by its hash", async () => {
    const { fleet, tenant } = await keyFleet()
    const { record } = await tenant.apiKeys.create(options)
    let forged = makeApiKey("test")
    // A tail that fits the id of the key: made by the same function, for another secret.
    forged = { ...forged, text: retailed(`fp_test_${record.id}_${forged.text.slice(-38, -6)}`) }
    expect(readApiKey(forged.text)).toMatchObject({ id: record.id })
    expect(await fleet.apiKeys.check(forged.text)).toBeUndefined()
  })

  test("of one tenant is not seen, rotated or revoked by another", async () => {
    const { fleet, tenant } = await keyFleet()
    const { key, record } = await tenant.apiKeys.create(options)
    const slug = testSlug("other")
    await fleet.tenants.provision(slug)
    const other = fleet.tenant(slug).apiKeys
    expect(await other.list()).toEqual([])
    expect(await other.get(record.id)).toBeUndefined()
    await expect(other.rotate(record.id)).rejects.toMatchObject({ code: "api_key_unknown" })
    await expect(other.revoke(record.id)).rejects.toMatchObject({ code: "api_key_unknown" })
    expect(await fleet.apiKeys.check(key)).toMatchObject({ tenant: tenant.slug })
  })

  test("may not be made with wrong options", async () => {
    const { tenant } = await keyFleet()
    const wrong: Partial<ApiKeyOptions>[] = [
      { name: "" },
      { name: "a".repeat(101) },
      { scopes: [] },
      { scopes: ["signals:fly"] },
      { scopes: ["signals"] },
      { lifetimeMs: 0 },
      { lifetimeMs: 1e15 },
      { owner: { kind: "user", id: "nobody" } },
      { owner: { kind: "host", id: "" } },
    ]
    for (const each of wrong)
      await expect(tenant.apiKeys.create({ ...options, ...each })).rejects.toMatchObject({ code: "api_key_invalid" })
    await expect(
      tenant.apiKeys.create({ ...options, owner: { kind: "service_account", id: newId() } }),
    ).rejects.toMatchObject({ code: "service_account_unknown" })
    await expect(tenant.apiKeys.create({ ...options, owner: { kind: "user", id: newId() } })).rejects.toMatchObject({
      code: "member_unknown",
    })
  })

  test("ends by itself", async () => {
    const { fleet, tenant } = await keyFleet()
    const { key, record } = await tenant.apiKeys.create({ ...options, lifetimeMs: 300 })
    expect(await fleet.apiKeys.check(key)).toBeDefined()
    await expect.poll(() => fleet.apiKeys.check(key)).toBeUndefined()
    expect(await tenant.apiKeys.get(record.id)).toMatchObject({ status: "expired" })
  })
})

describe("whoever acts", () => {
  const admin = { kind: "user", id: newId(), role: "admin" } as const

  test("gives away no more than they have, and gets no more by rotating", async () => {
    const { fleet, tenant } = await keyFleet()
    const as = (principal: object) => actingAs(fleet.access, { ...admin, tenant: tenant.slug, ...principal })
    const owners = await tenant.apiKeys.create({ ...options, role: "owner" })
    const forbidden = { code: "forbidden" }
    await expect(tenant.apiKeys.create({ ...options, role: "owner" }, { by: as({}) })).rejects.toMatchObject(forbidden)
    await expect(tenant.apiKeys.rotate(owners.record.id, { by: as({}) })).rejects.toMatchObject(forbidden)
    await expect(tenant.apiKeys.revoke(owners.record.id, { by: as({}) })).rejects.toMatchObject(forbidden)
    const key = as({ kind: "api_key", scopes: ["api_keys:*", "signals:read"] })
    await expect(tenant.apiKeys.create(options, { by: key })).rejects.toMatchObject(forbidden)
    const wider = { ...options, scopes: ["signals:emit"] }
    await expect(tenant.apiKeys.create(wider, { by: key })).rejects.toMatchObject(forbidden)
    const unlimited = await tenant.apiKeys.create(options)
    await expect(tenant.apiKeys.rotate(unlimited.record.id, { by: key })).rejects.toMatchObject(forbidden)
    const narrow = await tenant.apiKeys.create({ ...options, scopes: ["signals:read"] }, { by: key })
    expect(narrow.record.scopes).toEqual(["signals:read"])
    expect(await fleet.apiKeys.check(owners.key)).toMatchObject({ role: "owner" })
  })

  test("as a member makes and ends only keys of their own", async () => {
    const { fleet, tenant } = await keyFleet()
    const member = actingAs(fleet.access, { kind: "host", id: host.id, tenant: tenant.slug, role: "member" })
    const own = await tenant.apiKeys.create({ ...options, role: "member" }, { by: member })
    const other = { ...options, role: "member", owner: { kind: "host", id: "person-2" } } as const
    await expect(tenant.apiKeys.create(other, { by: member })).rejects.toMatchObject({ code: "forbidden" })
    const theirs = await tenant.apiKeys.create(other)
    await expect(tenant.apiKeys.revoke(theirs.record.id, { by: member })).rejects.toMatchObject({ code: "forbidden" })
    expect(await tenant.apiKeys.revoke(own.record.id, { by: member })).toBe(true)
  })
})

describe("rotation", () => {
  test("leaves two keys that work, and never three", async () => {
    const { fleet, tenant } = await keyFleet()
    const first = await tenant.apiKeys.create({ ...options, scopes: ["signals:*"] })
    const second = await tenant.apiKeys.rotate(first.record.id)
    expect(second.record).toMatchObject({ name: "import", role: "admin", scopes: ["signals:*"], owner: host })
    expect(await worksOf(fleet, [first.key, second.key])).toEqual([true, true])
    const third = await tenant.apiKeys.rotate(second.record.id)
    await expect.poll(() => worksOf(fleet, [first.key, second.key, third.key])).toEqual([false, true, true])
    const listed = await tenant.apiKeys.list()
    expect(listed.map(({ status }) => status)).toEqual(["active", "active", "revoked"])
    expect(listed[1]?.replacedBy).toBe(third.record.id)
    const hours = ((listed[1]?.expiresAt?.getTime() ?? 0) - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(23.9)
    expect(hours).toBeLessThanOrEqual(24)
  })

  test("without an overlap ends the old key at once, with one when it is over", async () => {
    const { fleet, tenant } = await keyFleet()
    const first = await tenant.apiKeys.create(options)
    expect(await worksOf(fleet, [first.key])).toEqual([true])
    const second = await tenant.apiKeys.rotate(first.record.id, { overlapMs: 0 })
    await expect.poll(() => worksOf(fleet, [first.key, second.key])).toEqual([false, true])
    const third = await tenant.apiKeys.rotate(second.record.id, { overlapMs: 400 })
    expect(await worksOf(fleet, [second.key, third.key])).toEqual([true, true])
    await expect.poll(() => worksOf(fleet, [second.key, third.key])).toEqual([false, true])
  })

  test("of a key that has ended or was replaced is refused; at once by two, one gets it", async () => {
    const { tenant } = await keyFleet()
    const first = await tenant.apiKeys.create(options)
    const both = await Promise.allSettled([
      tenant.apiKeys.rotate(first.record.id),
      tenant.apiKeys.rotate(first.record.id),
    ])
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"])
    await expect(tenant.apiKeys.rotate(first.record.id)).rejects.toMatchObject({ code: "api_key_ended" })
    await expect(tenant.apiKeys.rotate(first.record.id, { overlapMs: -1 })).rejects.toMatchObject({
      code: "api_key_invalid",
    })
  })
})

describe("keys that end", () => {
  test("are out in this process and in another, at once where announcements are heard", async () => {
    const { fleet, tenant } = await keyFleet()
    const { fleet: other } = await testFleet(db.database, withTestKeys())
    const { key, record } = await tenant.apiKeys.create(options)
    expect(await other.apiKeys.check(key)).toBeDefined()
    expect(await fleet.apiKeys.check(key)).toBeDefined()
    expect(await tenant.apiKeys.revoke(record.id, { by })).toBe(true)
    expect(await tenant.apiKeys.revoke(record.id, { by })).toBe(false)
    await expect.poll(() => fleet.apiKeys.check(key), { timeout: 30_000, interval: 10 }).toBeUndefined()
    await expect.poll(() => other.apiKeys.check(key), { timeout: 30_000, interval: 10 }).toBeUndefined()
  })

  test("are out within 2 seconds in a process that hears no announcement, though it asks all the time", async () => {
    const { tenant } = await keyFleet()
    const { fleet: other } = await testFleet(deaf(db.database), withTestKeys())
    const { key, record } = await tenant.apiKeys.create(options)
    expect(await other.apiKeys.check(key)).toBeDefined()
    await tenant.apiKeys.revoke(record.id)
    const revokedAt = performance.now()
    while (await other.apiKeys.check(key)) await new Promise(setImmediate)
    expect(performance.now() - revokedAt).toBeLessThan(2_000)
  })

  test("stay out although the looks for changes fail", async () => {
    const { tenant } = await keyFleet()
    const broken = interceptDatabase(db.database, ({ name, run }) =>
      isBroken && name === "selectAccessChanges" ? Promise.reject(new Error("the line is cut")) : run(),
    )
    let isBroken = false
    const { fleet: other } = await testFleet(deaf(broken), withTestKeys())
    isBroken = true
    const { key, record } = await tenant.apiKeys.create(options)
    expect(await other.apiKeys.check(key)).toBeDefined()
    await tenant.apiKeys.revoke(record.id)
    const revokedAt = performance.now()
    while (await other.apiKeys.check(key)) await new Promise(setImmediate)
    expect(performance.now() - revokedAt).toBeLessThan(2_000)
  })

  // The embedded database runs one transaction at a time.
  test.skipIf(process.env["TEST_DATABASE"] !== "server")("by a transaction that took long are not missed", async () => {
    const { tenant } = await keyFleet()
    const { fleet: other } = await testFleet(deaf(db.database), withTestKeys())
    const { key, record } = await tenant.apiKeys.create(options)
    expect(await other.apiKeys.check(key)).toBeDefined()
    await db.database.owner.transaction(async (tx) => {
      await tx.query("update fleetprompt.api_keys set revoked_at = now() where id = $1", [record.id])
      // Other changes are seen by looks meanwhile, and the key still works.
      for (const until = performance.now() + 1_800; performance.now() < until;) {
        expect(await other.apiKeys.check(key)).toBeDefined()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })
    const committedAt = performance.now()
    while (await other.apiKeys.check(key)) await new Promise(setImmediate)
    expect(performance.now() - committedAt).toBeLessThan(2_000)
  })
})

async function worksOf(fleet: { apiKeys: { check: (key: string) => Promise<unknown> } }, keys: readonly string[]) {
  return Promise.all(keys.map(async (key) => (await fleet.apiKeys.check(key)) !== undefined))
}

/** A database that hears no announcement. */
function deaf(database: Database): Database {
  return { ...interceptDatabase(database, ({ run }) => run()), hears: false, listen: async () => async () => {} }
}

/** A body with the tail that fits it, found as makeApiKey makes it. */
function retailed(body: string): string {
  const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
  let rest = crcOf(body)
  let tail = ""
  for (let at = 0; at < 6; at++) {
    tail = alphabet.charAt(rest % 62) + tail
    rest = Math.floor(rest / 62)
  }
  return body + tail
}

/** CRC-32, written apart from the code under test. */
function crcOf(text: string): number {
  let crc = 0xffffffff
  for (const byte of Buffer.from(text)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}
