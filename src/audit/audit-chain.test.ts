import { createHash } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { auditKeys } from "../../test/support/audit-rig.ts"
import { copyJson, type JsonValue } from "../signal/json.ts"
import type { AuditEntryRecord } from "../store/audit-intake.ts"
import { CHAIN_START, isIntact, linkEntries, rawRow, readRow } from "./audit-chain.ts"
import { auditRecord } from "./audit-entry.ts"
import { makeHead } from "./audit-head.ts"
import { AuditVerifier, createAuditSigner } from "./audit-keys.ts"
import { EXPORT_FORMAT } from "./export-audit.ts"
import { verifyAuditExport } from "./verify-export.ts"

const { signer } = auditKeys()
const trusted = signer ? [signer.publicKey] : []

const text = fc.string({ unit: "grapheme", maxLength: 12 })
const record: fc.Arbitrary<AuditEntryRecord> = fc.record({
  id: fc.uuid(),
  occurredAt: fc.constant("2026-01-31T12:00:00.123456Z"),
  actorKind: fc.constantFrom("user", "api_key", "system"),
  actorId: text,
  actorRole: fc.option(text),
  action: fc.constantFrom("member.add", "member.remove"),
  resource: text,
  outcome: fc.constantFrom("done", "denied", "failed"),
  details: fc.jsonValue().map(jsonOf),
  correlationId: fc.option(text),
})

/** Without -0, which no entry may have. */
function jsonOf(value: unknown): JsonValue {
  return copyJson(JSON.parse(JSON.stringify(value)), "value")
}

function exportOf(tenant: string, entries: readonly AuditEntryRecord[]): string {
  const rows = linkEntries(tenant, CHAIN_START, entries)
  const last = rows.at(-1) ?? CHAIN_START
  const head = makeHead({ tenant, last, now: "2026-01-31T12:00:01.000Z" }, signer)
  const begin = { format: EXPORT_FORMAT, tenant, after: CHAIN_START, head }
  return [begin, ...rows].map((line) => `${JSON.stringify(line)}\n`).join("")
}

async function* bytes(content: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += 61) yield content.subarray(at, at + 61)
}

function check(content: string | Uint8Array) {
  return verifyAuditExport(bytes(Buffer.from(content)), { trusted })
}

test("whatever entries hold, their chain is sound, and every row is read as it was written", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 20 }), async (entries) => {
      expect(await check(exportOf("acme", entries))).toMatchObject({ ok: true, rows: entries.length })
      for (const row of linkEntries("acme", CHAIN_START, entries)) {
        expect(readRow(rawRow(row))).toEqual(row)
        expect(isIntact("acme", row)).toBe(true)
        expect(isIntact("other", row)).toBe(false)
      }
    }),
  )
})

test("a line that was changed, removed, doubled or moved is found", async () => {
  const lines = (content: string) => content.split("\n").slice(0, -1)
  const tampering = fc.record({
    entries: fc.array(record, { minLength: 2, maxLength: 12 }),
    what: fc.constantFrom("remove", "double", "swap", "cut", "foreign"),
    at: fc.nat(),
  })
  await fc.assert(
    fc.asyncProperty(tampering, async ({ entries, what, at }) => {
      const [begin = "", ...rows] = lines(exportOf("acme", entries))
      const index = at % (rows.length - 1)
      const [row = "", next = ""] = rows.slice(index, index + 2)
      const foreign = lines(exportOf("other", entries))[index + 1] ?? ""
      const changed = {
        remove: rows.toSpliced(index, 1),
        double: rows.toSpliced(index, 0, row),
        swap: rows.toSpliced(index, 2, next, row),
        cut: rows.slice(0, index + 1),
        foreign: rows.with(index, foreign),
      }[what]
      expect((await check([begin, ...changed, ""].join("\n"))).ok).toBe(false)
    }),
  )
})

describe("what is wrong is named, and where", () => {
  const entries: AuditEntryRecord[] = fc.sample(record, { numRuns: 6, seed: 3 })
  const linesOf = (tenant: string, of: readonly AuditEntryRecord[]) => exportOf(tenant, of).trimEnd().split("\n")
  const [begin = "", ...rows] = linesOf("acme", entries)
  const [otherBegin = "", ...otherRows] = linesOf("acme", entries.toReversed())
  const [strangerBegin = ""] = linesOf("other", entries)
  const at = (index: number) => rows[index] ?? ""

  test.each([
    [
      "a row that was changed",
      [begin, ...rows.with(2, at(2).replace('"position":3', '"position":3,"more":1'))],
      [
        ["edited", 3],
        ["relinked", 4],
      ],
    ],
    [
      "a row with another hash",
      [begin, ...rows.with(2, at(2).replace(/"hash":"../, '"hash":"zz'))],
      [
        ["edited", 3],
        ["relinked", 4],
      ],
    ],
    [
      "a row of another chain",
      [begin, ...rows.with(2, otherRows[2] ?? "")],
      [
        ["relinked", 3],
        ["relinked", 4],
      ],
    ],
    ["a row that is gone", [begin, ...rows.toSpliced(2, 1)], [["missing", 3]]],
    ["rows that are gone at the end", [begin, ...rows.slice(0, 4)], [["cut", 5]]],
    ["a row that stands twice", [begin, ...rows.toSpliced(2, 0, at(1))], [["misplaced", 2]]],
    ["a whole chain made anew under the old head", [begin, ...otherRows], [["replaced", 6]]],
    ["rows behind the end", [linesOf("acme", entries.slice(0, 4))[0] ?? "", ...rows], [["added", 5]]],
    [
      "a head of another log",
      [begin.replace(/"head":.*/, `"head":${strangerBegin.split('"head":')[1]}`), ...rows],
      [
        ["head_forged", null],
        ["replaced", 6],
      ],
    ],
    ["a head of another chain", [otherBegin, ...rows], [["replaced", 6]]],
    [
      "a line that is no row",
      [begin, ...rows.with(2, "null")],
      [
        ["edited", 3],
        ["relinked", 4],
      ],
    ],
  ])("%s", async (_, lines, expected) => {
    const { findings, ok } = await check(`${lines.join("\n")}\n`)
    expect(ok).toBe(false)
    expect(findings.map(({ kind, position }) => [kind, position])).toEqual(expected)
  })
})

test("any bit that is turned is found", async () => {
  const entries: AuditEntryRecord[] = fc.sample(record, { numRuns: 4, seed: 7 })
  const content = Buffer.from(exportOf("acme", entries))
  await fc.assert(
    fc.asyncProperty(fc.nat(content.length - 1), fc.nat(7), async (at, bit) => {
      const turned = Buffer.from(content)
      turned[at] = (turned[at] ?? 0) ^ (1 << bit)
      const report = await check(turned).catch(() => ({ ok: false }))
      // White space between the parts of a line means nothing.
      expect(report.ok).toBe(sameMeaning(content, turned))
    }),
    { numRuns: 500 },
  )
})

function sameMeaning(one: Buffer, other: Buffer): boolean {
  const read = (content: Buffer) =>
    content
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as unknown)
  try {
    return JSON.stringify(read(one)) === JSON.stringify(read(other))
  } catch {
    return false
  }
}

describe("keys", () => {
  test("of the same bytes are the same, and their public key is Ed25519 of RFC 8032", () => {
    // Test 1 of RFC 8032, section 7.1.
    const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex")
    const raw = Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex")
    const made = createAuditSigner(seed)
    expect(made.publicKey).toBe(`ed25519:${raw.toString("base64url")}`)
    expect(made.keyId).toBe(createHash("sha256").update(raw).digest("hex").slice(0, 16))
    expect(Buffer.from(made.sign(""), "base64").toString("hex")).toMatch(
      /^e5564300c360ac729086e2cc806e828a84877f1eb8e5d974/,
    )
    expect(new AuditVerifier([made.publicKey]).check("", made.keyId, made.sign(""))).toBe("good")
    expect(new AuditVerifier([made.publicKey]).check("x", made.keyId, made.sign(""))).toBe("bad")
    expect(new AuditVerifier([]).check("", made.keyId, made.sign(""))).toBe("unknown")
  })

  test("that are none are refused", () => {
    expect(() => createAuditSigner(new Uint8Array(16))).toThrow(/32 bytes/)
    expect(() => new AuditVerifier(["ed25519:abc"])).toThrow(/ed25519:/)
    expect(() => new AuditVerifier(["-----BEGIN PUBLIC KEY-----"])).toThrow(/ed25519:/)
  })
})

describe("an entry", () => {
  const base = { action: "a.b", resource: "r:1", actor: { kind: "user", id: "1" } } as const

  test("is never refused for texts that come from outside", () => {
    const stored = auditRecord("acme", { ...base, resource: `r:\u0000\ud800${"x".repeat(2_000)}` })
    expect(stored.resource).toHaveLength(500)
    expect(stored.resource.isWellFormed()).toBe(true)
  })

  test.each(["", "A", "a b", "a..b", "a.", ".a", "x".repeat(201)])("has an action that is no %j", (action) => {
    expect(() => auditRecord("acme", { ...base, action })).toThrow(/dotted name/)
  })
})
