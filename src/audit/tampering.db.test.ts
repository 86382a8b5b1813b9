import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type AuditRig, auditKeys, auditRig, entry } from "../../test/support/audit-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import {
  type AuditRow,
  insertAuditRows,
  selectAuditHead,
  selectAuditRows,
  updateAuditHead,
} from "../store/audit-log.ts"
import type { Queryable, Transaction } from "../store/database.ts"
import { hashRow, rawRow, readRow } from "./audit-chain.ts"
import { type AuditHead, makeHead } from "./audit-head.ts"
import { type AuditReport, verifyAudit } from "./verify-audit.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const ROWS = 12
const { signer, verifier } = auditKeys()
const stranger = auditKeys("somebody else").signer

/** What somebody who owns the tables does to a log of ROWS rows. */
interface Tampering {
  readonly what: string
  readonly run: (tx: Queryable, rig: AuditRig, other: AuditRig) => Promise<unknown>
}

const sql = (tx: Queryable, { scope }: AuditRig, text: string, values: readonly unknown[] = []) =>
  tx.query(text.replaceAll("{log}", `${scope.schema}.audit_log`).replaceAll("{heads}", `${scope.schema}.audit_heads`), [
    ...values,
  ])

async function rowsOf(tx: Queryable, { scope }: AuditRig): Promise<readonly AuditRow[]> {
  const rows = await selectAuditRows(tx, scope, { after: 0, through: ROWS, limit: ROWS })
  return rows.map(readRow).filter((row) => row !== undefined)
}

/** Makes the whole chain anew, as whoever has no key can: every hash is right, only the signature is not. */
async function rechain(
  tx: Queryable,
  rig: AuditRig,
  change: (rows: AuditRow[]) => readonly AuditRow[],
  sign: (head: AuditHead, before: AuditHead) => AuditHead,
): Promise<void> {
  const { scope } = rig
  let last = { position: 0, hash: "0".repeat(64) }
  const rows = change([...(await rowsOf(tx, rig))]).map((row, index) => {
    const unhashed = { ...row, position: index + 1, previousHash: last.hash }
    return (last = { ...unhashed, hash: hashRow(scope.slug, unhashed) })
  })
  await sql(tx, rig, "delete from {log} where tenant = $1", [scope.slug])
  // The hash was added to each.
  await insertAuditRows(tx, scope, (rows as AuditRow[]).map(rawRow))
  const head = await headOf(tx, rig)
  await updateAuditHead(tx, scope, sign({ ...head, position: last.position, hash: last.hash }, head))
}

async function headOf(tx: Queryable, { scope }: AuditRig): Promise<AuditHead> {
  const head = await selectAuditHead(tx, scope)
  if (!head) throw new Error("no head")
  return { ...head, tenant: scope.slug }
}

/** Has the type that the compiler does not see within an arbitrary. */
const does = (tampering: Tampering): Tampering => tampering

const position = fc.integer({ min: 1, max: ROWS })
const edits = [
  "id = gen_random_uuid()",
  "occurred_at = occurred_at + interval '1 microsecond'",
  "occurred_at = occurred_at - interval '4050 years'",
  "actor_kind = 'operator'",
  "actor_id = actor_id || ' '",
  "actor_role = null",
  "action = 'member.remove'",
  "resource = 'member:0'",
  "outcome = 'failed'",
  "details = null",
  `details = '{"n":0}'`,
  `details = (' ' || details::text)::json`,
  `details = (replace(details::text, '}', '.0}'))::json`,
  "correlation_id = ''",
  "previous_hash = decode(repeat('00', 31) || '01', 'hex')",
  "previous_hash = previous_hash || '\\x00'::bytea",
  "hash = decode(repeat('ff', 32), 'hex')",
  "position = position + 1000",
]

const edit = (at: number, set: string): Tampering["run"] => {
  return (tx, rig) => sql(tx, rig, `update {log} set ${set} where tenant = $1 and position = $2`, [rig.scope.slug, at])
}

const tampering: fc.Arbitrary<Tampering> = fc.oneof<fc.Arbitrary<Tampering>[]>(
  fc.record({ at: position, set: fc.constantFrom(...edits) }).map(({ at, set }) =>
    does({
      what: `edit row ${at}: ${set}`,
      run: edit(at, set),
    }),
  ),
  position.map((at) =>
    does({
      what: `remove row ${at}`,
      run: (tx, rig) => sql(tx, rig, "delete from {log} where tenant = $1 and position = $2", [rig.scope.slug, at]),
    }),
  ),
  position.map((from) =>
    does({
      what: `cut the tail from ${from}`,
      run: (tx, rig) => sql(tx, rig, "delete from {log} where tenant = $1 and position >= $2", [rig.scope.slug, from]),
    }),
  ),
  position.map((from) =>
    does({
      what: `cut the tail from ${from} and move the head`,
      run: async (tx, rig) => {
        await sql(tx, rig, "delete from {log} where tenant = $1 and position >= $2", [rig.scope.slug, from])
        await sql(
          tx,
          rig,
          `update {heads} set position = $2,
           hash = coalesce((select hash from {log} where tenant = $1 and position = $2), base_hash) where tenant = $1`,
          [rig.scope.slug, from - 1],
        )
      },
    }),
  ),
  position.map((through) =>
    does({
      what: `remove the first ${through} and move the beginning`,
      run: async (tx, rig) => {
        await sql(
          tx,
          rig,
          `update {heads} set base_position = $2, base_hash = (select hash from {log} where tenant = $1 and position = $2)
         where tenant = $1`,
          [rig.scope.slug, through],
        )
        await sql(tx, rig, "delete from {log} where tenant = $1 and position <= $2", [rig.scope.slug, through])
      },
    }),
  ),
  fc.uniqueArray(position, { minLength: 2, maxLength: 2 }).map(([one = 1, other = 2]) =>
    does({
      what: `swap ${one} and ${other}`,
      run: async (tx, rig) => {
        const move = (from: number, to: number) =>
          sql(tx, rig, "update {log} set position = $3 where tenant = $1 and position = $2", [rig.scope.slug, from, to])
        await move(one, 1_000)
        await move(other, one)
        await move(1_000, other)
      },
    }),
  ),
  fc.record({ at: position, with: position }).map((places) =>
    does({
      what: `put another tenant's row ${places.with} in the place of ${places.at}`,
      run: async (tx, rig, other) => {
        const row = (await rowsOf(tx, other))[places.with - 1]
        await sql(tx, rig, "delete from {log} where tenant = $1 and position = $2", [rig.scope.slug, places.at])
        if (row) await insertAuditRows(tx, rig.scope, [rawRow({ ...row, position: places.at })])
      },
    }),
  ),
  fc.constant<Tampering>({
    what: "add a row that follows the last",
    run: async (tx, rig) => {
      const last = (await rowsOf(tx, rig)).at(-1)
      if (!last) return
      const unhashed = { ...last, position: ROWS + 1, previousHash: last.hash }
      await insertAuditRows(tx, rig.scope, [rawRow({ ...unhashed, hash: hashRow(rig.scope.slug, unhashed) })])
    },
  }),
  fc
    .record({
      at: position,
      how: fc.constantFrom("edit", "remove", "insert", "keep"),
      sign: fc.constantFrom("leave", "leave the head as it is", "none", "stranger", "stranger's under our name"),
    })
    .map(({ at, how, sign }) =>
      does({
        what: `make the chain anew without the key: ${how} ${at}, signature: ${sign}`,
        run: (tx, rig) => rechain(tx, rig, changed(how, at), signed(sign, how)),
      }),
    ),
  fc.constantFrom("the head", "the head and all rows but one").map((gone) =>
    does({
      what: `remove ${gone}`,
      run: async (tx, rig) => {
        await sql(tx, rig, "delete from {heads} where tenant = $1", [rig.scope.slug])
        if (gone !== "the head")
          await sql(tx, rig, "delete from {log} where tenant = $1 and position > 1", [rig.scope.slug])
      },
    }),
  ),
)

function changed(how: string, at: number): (rows: AuditRow[]) => readonly AuditRow[] {
  return (rows) => {
    const row = rows[at - 1]
    if (!row) throw new Error(`no row ${at}`)
    if (how === "edit") return rows.with(at - 1, { ...row, actorId: "nobody" })
    if (how === "remove") return rows.toSpliced(at - 1, 1)
    return how === "insert" ? rows.toSpliced(at - 1, 0, { ...row, resource: "member:forged" }) : rows
  }
}

/** Rows that were not changed need a changed signature to be a forgery. */
function signed(sign: string, how: string): (head: AuditHead, before: AuditHead) => AuditHead {
  return (head, before) => {
    if (sign === "leave the head as it is" && how !== "keep") return before
    const { tenant, position: at, hash, signedAt: now } = head
    if (sign === "leave" && how !== "keep") return head
    if (sign === "none" || sign.startsWith("leave")) return { ...head, keyId: null, signature: null }
    const forged = makeHead({ tenant, last: { position: at, hash }, now }, stranger)
    return sign === "stranger" ? forged : { ...forged, keyId: signer?.keyId ?? null }
  }
}

class TakenBack extends Error {}

/** Checks the log within a transaction that is taken back. */
async function reportAfter(rig: AuditRig, run: (tx: Transaction) => Promise<unknown>): Promise<AuditReport> {
  let report: AuditReport | undefined
  const taken = db.database.owner.transaction(async (tx) => {
    await tx.query("select set_config('fleetprompt.audit_maintenance', 'on', true)")
    await run(tx)
    report = await verifyAudit(rig.scope, { database: { transaction: (read) => read(tx) } }, verifier)
    throw new TakenBack()
  })
  await taken.catch((error: unknown) => {
    if (!(error instanceof TakenBack)) throw error
  })
  if (!report) throw new Error("not checked")
  return report
}

test.each(edits)("an edit is found, and where: %s", async (set) => {
  const rig = await auditRig(db.database, testSlug(set))
  await rig.append(...Array.from({ length: ROWS }, (_, n) => entry(n + 1)))
  await rig.log.list()
  const { findings } = await reportAfter(rig, (tx) => edit(5, set)(tx, rig, rig))
  expect(findings[0]?.position).toBe(5)
})

describe.each(["own", "shared"] as const)("in a log with the placement %s", (placement) => {
  test("whatever somebody without the key does to it is found", async () => {
    const rig = await auditRig(db.database, testSlug(), { placement })
    const other = await auditRig(db.database, testSlug("other"), { placement })
    const entries = Array.from({ length: ROWS }, (_, n) => entry(n + 1, n % 4 === 0 ? { correlationId: "c" } : {}))
    await rig.append(...entries)
    await other.append(...entries)
    expect(await rig.log.verify()).toMatchObject({ ok: true, rows: ROWS })
    expect(await other.log.verify()).toMatchObject({ ok: true, rows: ROWS })
    await fc.assert(
      fc.asyncProperty(tampering, async ({ run }) => {
        const report = await reportAfter(rig, (tx) => run(tx, rig, other))
        expect(report.ok).toBe(false)
        expect(report.findings.length).toBeGreaterThan(0)
      }),
      { numRuns: 150 },
    )
    // Nothing of it stayed.
    expect(await rig.log.verify()).toMatchObject({ ok: true, rows: ROWS })
  })
})
