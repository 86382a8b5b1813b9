import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { auditKeys, type AuditRig, auditRig, entry } from "../../test/support/audit-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import type { Transaction } from "../store/database.ts"
import type { AuditActor } from "./audit-entry.ts"
import { AuditVerifier } from "./audit-keys.ts"
import { verifyAuditExport } from "./verify-export.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const keys = auditKeys()
const trusted = keys.signer ? [keys.signer.publicKey] : []
const by: AuditActor = { kind: "operator", id: "ops-1" }

async function rigWith(rows: number, more = ""): Promise<AuditRig> {
  const rig = await auditRig(db.database, testSlug(more))
  await rig.append(...Array.from({ length: rows }, (_, n) => entry(n + 1)))
  return rig
}

/** What somebody does who owns the tables. */
function asOwner(run: (tx: Transaction) => Promise<unknown>): Promise<unknown> {
  return db.database.owner.transaction(async (tx) => {
    await tx.query("select set_config('fleetprompt.audit_maintenance', 'on', true)")
    return run(tx)
  })
}

async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = ""
  for await (const piece of pieces) text += piece
  return text
}

async function* pieces(text: string, length = 97): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += length) yield text.slice(at, at + length)
}

describe("an anchor", () => {
  test("finds that log and head were put back to what they once were", async () => {
    const { scope, log, append } = await rigWith(3)
    const old = await log.head()
    await append(entry(4), entry(5))
    const anchor = await log.head()
    expect(anchor).toMatchObject({ position: 5, tenant: scope.slug })
    if (!anchor || !old) throw new Error("no head")
    expect(await log.verify({ anchors: [old, anchor] })).toMatchObject({ ok: true })
    await asOwner(async (tx) => {
      await tx.query(`delete from ${scope.schema}.audit_log where position > 3`)
      await tx.query(
        `update ${scope.schema}.audit_heads set position = $1, hash = decode($2, 'hex'), signed_at = $3, signature = decode($4, 'base64')`,
        [old.position, old.hash, old.signedAt, old.signature],
      )
    })
    // Everything was so once: only who kept the later head knows better.
    expect(await log.verify()).toMatchObject({ ok: true, rows: 3 })
    expect(await log.verify({ anchors: [old] })).toMatchObject({ ok: true })
    expect((await log.verify({ anchors: [anchor] })).findings).toMatchObject([{ kind: "anchor_broken", position: 5 }])
  })

  test("of another log, or one that was changed, is no proof", async () => {
    const { log } = await rigWith(2)
    const other = await rigWith(2, "other")
    const [anchor, foreign] = [await log.head(), await other.log.head()]
    if (!anchor || !foreign) throw new Error("no head")
    const { findings } = await log.verify({ anchors: [foreign, { ...anchor, position: 1 }] })
    expect(findings.map(({ kind }) => kind)).toEqual(["anchor_invalid", "anchor_invalid"])
  })
})

describe("a head that is not good", () => {
  test.each([
    ["forged", "signature = decode(repeat('00', 64), 'hex')", "head_forged"],
    ["unsigned", "signature = null, key_id = null", "head_unsigned"],
    ["by a stranger", "key_id = 'ffffffffffffffff'", "head_unknown_key"],
  ])("is never built on: %s", async (what, change, kind) => {
    const { scope, log, append } = await rigWith(2, what)
    await log.list()
    await asOwner((tx) => tx.query(`update ${scope.schema}.audit_heads set ${change}`))
    await append(entry(3))
    const report = await log.verify()
    expect(report).toMatchObject({ ok: false, rows: 2, waiting: 1, findings: [{ kind }] })
    expect((await log.list()).entries).toHaveLength(2)
  })

  test("goes on after it was resealed, and the log says so", async () => {
    const { scope, log, append } = await rigWith(3)
    await log.list()
    await asOwner(async (tx) => {
      await tx.query(`delete from ${scope.schema}.audit_log where position = 3`)
      await tx.query(`update ${scope.schema}.audit_heads set signature = null, key_id = null`)
    })
    await append(entry(4))
    const found = await log.reseal({ by, reason: "restored from a backup" })
    expect(found.findings.map(({ kind }) => kind)).toEqual(["cut", "head_unsigned"])
    const { entries } = await log.list()
    expect(entries).toMatchObject([
      {
        position: 4,
        action: "audit.reseal",
        actor: by,
        details: {
          reason: "restored from a backup",
          findingCount: 2,
          findings: ["row 3 is missing at the end", "the head is not signed"],
        },
      },
      { position: 3, resource: "member:4" },
      { position: 2 },
      { position: 1 },
    ])
    expect(await log.verify()).toMatchObject({ ok: true, signed: true })
  })

  test("an edited row is found again after a reseal", async () => {
    const { scope, log } = await rigWith(3)
    await log.list()
    await asOwner((tx) => tx.query(`update ${scope.schema}.audit_log set action = 'nothing.at.all' where position = 2`))
    await log.reseal({ by, reason: "seen" })
    expect((await log.verify()).findings).toMatchObject([{ kind: "edited", position: 2 }])
  })
})

test("without a key heads are not signed, and a key that comes later begins with a reseal", async () => {
  const none = { signer: undefined, verifier: new AuditVerifier([]) }
  const unsigned = await auditRig(db.database, testSlug(), { keys: none })
  await unsigned.append(entry(1))
  expect(await unsigned.log.verify()).toMatchObject({ ok: true, signed: false, rows: 1 })
  const { log, append } = await auditRig(db.database, testSlug())
  await append(entry(2))
  expect((await log.verify()).findings).toMatchObject([{ kind: "head_unsigned" }])
  await log.reseal({ by, reason: "the first key" })
  expect(await log.verify()).toMatchObject({ ok: true, signed: true, rows: 3 })
})

test("a log goes on under a new key while the old one is trusted", async () => {
  const { log } = await rigWith(2)
  const before = await log.head()
  const next = auditKeys("next year's")
  const both = { signer: next.signer, verifier: new AuditVerifier([next.signer?.publicKey ?? "", ...trusted]) }
  const renewed = await auditRig(db.database, testSlug(), { keys: both })
  await renewed.append(entry(3))
  const anchors = before ? [before] : []
  expect(await renewed.log.verify({ anchors })).toMatchObject({
    ok: true,
    rows: 3,
    head: { keyId: next.signer?.keyId },
  })
})

describe("an export", () => {
  test("is checked without the database", async () => {
    const { scope, log } = await rigWith(1_500)
    const text = await textOf(log.export())
    const report = await verifyAuditExport(pieces(text, 10_001), { trusted })
    expect(report).toMatchObject({ ok: true, signed: true, tenant: scope.slug, rows: 1_500, after: { position: 0 } })
    expect(text.trimEnd().split("\n")).toHaveLength(1_501)
  })

  test("of the later part begins where the one before ended", async () => {
    const { log, append } = await rigWith(3)
    const head = await log.head()
    if (!head) throw new Error("no head")
    await append(entry(4), entry(5))
    const text = await textOf(log.export({ after: { position: head.position, hash: head.hash } }))
    expect(await verifyAuditExport(pieces(text), { trusted })).toMatchObject({
      ok: true,
      rows: 2,
      after: { position: 3 },
    })
    const wrong = await textOf(log.export({ after: { position: 3, hash: "0".repeat(64) } }))
    expect((await verifyAuditExport(pieces(wrong), { trusted })).findings).toMatchObject([
      { kind: "relinked", position: 4 },
    ])
  })

  test("by a key that is not trusted is no proof", async () => {
    const { log } = await rigWith(1)
    const report = await verifyAuditExport(log.export(), { trusted: [] })
    expect(report).toMatchObject({ ok: false, signed: false, findings: [{ kind: "head_unknown_key" }] })
  })

  test.each(["", "{}\n", "not JSON", '{"format":"fleetprompt.audit-log.1"}\n'])("is not this: %j", async (text) => {
    await expect(verifyAuditExport(pieces(text), { trusted })).rejects.toMatchObject({ code: "data_invalid" })
  })
})

describe("pruning", () => {
  test("removes what is in an archive, and the rest is checked from there", async () => {
    const { log, append } = await rigWith(10)
    const archive = await textOf(log.export())
    const row: unknown = JSON.parse(archive.split("\n")[6] ?? "")
    expect(row).toMatchObject({ position: 6 })
    // The line that was just looked at.
    const { position, hash } = row as { position: number; hash: string }
    expect(await log.prune({ through: { position, hash }, by, archive: "s3://archive/1" })).toBe(6)
    await append(entry(11))
    const report = await log.verify()
    expect(report).toMatchObject({ ok: true, rows: 6, head: { basePosition: 6, baseHash: hash, position: 12 } })
    expect((await log.list({ action: "audit.prune" })).entries).toMatchObject([
      { actor: by, details: { from: 1, through: 6, hash, archive: "s3://archive/1" } },
    ])
    const rest = await verifyAuditExport(log.export(), { trusted })
    expect(rest).toMatchObject({ ok: true, rows: 6, after: { position: 6, hash } })
    expect(await log.prune({ through: { position, hash }, by, archive: "again" })).toBe(0)
  })

  test("refuses what the caller does not have", async () => {
    const { log } = await rigWith(3)
    const refused = { code: "data_invalid" }
    const wrong = { position: 2, hash: "0".repeat(64) }
    await expect(log.prune({ through: wrong, by, archive: "none" })).rejects.toMatchObject(refused)
    await expect(log.prune({ through: { ...wrong, position: 9 }, by, archive: "none" })).rejects.toMatchObject(refused)
    expect(await log.verify()).toMatchObject({ ok: true, rows: 3 })
  })

  test("that somebody feigns is found", async () => {
    const { scope, log } = await rigWith(5)
    await log.list()
    await asOwner((tx) => tx.query(`delete from ${scope.schema}.audit_log where position <= 2`))
    expect((await log.verify()).findings).toMatchObject([{ kind: "missing", position: 1 }])
  })
})
