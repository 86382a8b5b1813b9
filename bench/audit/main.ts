import { randomBytes } from "node:crypto"
import { parseArgs } from "node:util"
import { appendAudit } from "../../src/audit/append-audit.ts"
import { linkEntries, rawRow } from "../../src/audit/audit-chain.ts"
import { AuditChainer } from "../../src/audit/audit-chainer.ts"
import { openAuditLog } from "../../src/audit/audit-door.ts"
import type { AuditEntry } from "../../src/audit/audit-entry.ts"
import { makeHead, placesOf } from "../../src/audit/audit-head.ts"
import { AuditVerifier, createAuditSigner } from "../../src/audit/audit-keys.ts"
import { chainAudit } from "../../src/audit/chain-writer.ts"
import { verifyAuditExport } from "../../src/audit/verify-export.ts"
import { newId } from "../../src/signal/id.ts"
import {
  insertAuditHead,
  insertAuditRows,
  lockAuditHead,
  selectAuditTime,
  updateAuditHead,
} from "../../src/store/audit-log.ts"
import type { Database, Transaction } from "../../src/store/database.ts"
import { LATEST_TENANT_VERSION, migrateControl } from "../../src/store/migrate.ts"
import { openServerDatabase } from "../../src/store/server-database.ts"
import { type TenantScope, tenantScope } from "../../src/store/tenant-scope.ts"
import { withinTenant } from "../../src/store/within-tenant.ts"
import { provisionTenant } from "../../src/tenants/provision.ts"
import { startPostgresServer } from "../durable/postgres.ts"
import { percentile } from "../durable/statistics.ts"

const USAGE = `npm run bench:audit -- [--seconds 5] [--rows 50000] [--json]

What an audit entry costs an action in one tenant, whose transaction changes a row of its own and appends one entry:
intake (as it is), none (no entry), and locked (the chain written in the action's own transaction, under the head's lock).
Then how fast entries get their places, and how fast a log is checked and exported.`

const signer = createAuditSigner(randomBytes(32))
const keys = { signer, verifier: new AuditVerifier([signer.publicKey]) }

/** Ways to note an action, in its transaction. */
type Way = "none" | "intake" | "locked"

interface Acts {
  readonly way: Way
  readonly callers: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "5" },
      rows: { type: "string", default: "50000" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  })
  if (values.help) return void process.stdout.write(`${USAGE}\n`)
  const server = await startPostgresServer()
  try {
    const { url } = await server.createDatabase()
    const database = await openServerDatabase({ connectionString: url, maxConnections: 20 })
    const acts = await measureActs(database, Number(values.seconds))
    const log = await measureLog(database, Number(values.rows))
    await database.close()
    const results = { postgres: server.version, node: process.version, acts, log }
    process.stdout.write(values.json ? `${JSON.stringify(results)}\n` : textOf(results))
  } finally {
    await server.stop()
  }
}

async function tenant(database: Database, slug: string): Promise<TenantScope> {
  await migrateControl(database)
  await provisionTenant(database, slug)
  const scope = tenantScope(slug)
  await database.owner.transaction(async (tx) => {
    await tx.query(`create table ${scope.schema}.acts (id integer primary key, n integer not null default 0)`)
    await tx.query(`insert into ${scope.schema}.acts select generate_series(1, 64)`)
    await tx.query(`grant all on ${scope.schema}.acts to public`)
  })
  return scope
}

async function measureActs(database: Database, seconds: number): Promise<readonly Acts[]> {
  const results: Acts[] = []
  for (const callers of [1, 16, 64]) {
    for (const way of ["none", "intake", "locked"] as const) {
      const scope = await tenant(database, `${way}_${callers}`)
      const chainer = new AuditChainer({ database, keys: async () => keys, telemetry: { tell: fail } })
      if (way === "intake") chainer.start()
      results.push({ way, callers, ...(await act(database, scope, way, callers, seconds)) })
      await chainer.stop()
      process.stderr.write(`${JSON.stringify(results.at(-1))}\n`)
    }
  }
  return results
}

async function act(database: Database, scope: TenantScope, way: Way, callers: number, seconds: number) {
  const times: number[] = []
  const until = performance.now() + seconds * 1_000
  const caller = async (id: number): Promise<void> => {
    while (performance.now() < until) {
      const from = performance.now()
      await actOnce(database, scope, way, id)
      times.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, n) => caller(n + 1)))
  return {
    perSecond: Math.round(times.length / seconds),
    p50Ms: round(percentile(times, 0.5)),
    p99Ms: round(percentile(times, 0.99)),
  }
}

async function actOnce(database: Database, scope: TenantScope, way: Way, id: number): Promise<void> {
  const change = (tx: Transaction) => tx.query(`update ${scope.schema}.acts set n = n + 1 where id = $1`, [id])
  if (way === "locked")
    return database.owner.transaction(async (tx) => {
      await change(tx)
      await appendLocked(tx, scope)
    })
  return withinTenant(database, scope, async (tx) => {
    await change(tx)
    if (way === "intake") await appendAudit(tx, scope, [entry(id)])
  })
}

/** What was weighed against the intake: the chain grows in the action's own transaction. */
async function appendLocked(tx: Transaction, scope: TenantScope): Promise<void> {
  const tenant = scope.slug
  let locked = await lockAuditHead(tx, scope)
  if (!locked) {
    await insertAuditHead(tx, scope, makeHead({ tenant, now: await selectAuditTime(tx) }, signer))
    locked = await lockAuditHead(tx, scope)
  }
  if (!locked) throw new Error("no head")
  const { base, last } = placesOf(locked.head)
  const row = {
    id: newId(),
    occurredAt: new Date().toISOString().replace("Z", "000Z"),
    actorKind: "user",
    actorId: "ada",
    actorRole: "owner",
    action: "member.role.change",
    resource: "member:1",
    outcome: "done",
    details: { to: "admin" },
    correlationId: null,
  } as const
  const rows = linkEntries(tenant, last, [row])
  await insertAuditRows(tx, scope, rows.map(rawRow))
  await updateAuditHead(tx, scope, makeHead({ tenant, base, last: rows[0] ?? last, now: locked.now }, signer))
}

async function measureLog(database: Database, rows: number) {
  const scope = await tenant(database, "log")
  const schema = { slug: scope.slug, schemaVersion: LATEST_TENANT_VERSION, breakingVersion: 0 }
  const deps = { database, keys: async () => keys, placements: { findToRead: async () => ({ scope, schema }) } }
  const log = openAuditLog(scope.slug, () => deps)
  const append = await timed(rows, async () => {
    for (let n = 0; n < rows; n += 500)
      await withinTenant(database, scope, (tx) =>
        appendAudit(
          tx,
          scope,
          Array.from({ length: 500 }, (_, each) => entry(n + each)),
        ),
      )
  })
  const chain = await timed(rows, () => chainAudit(scope.slug, deps))
  const memory = process.memoryUsage().rss
  const verify = await timed(rows, async () => {
    const { ok } = await log.verify()
    if (!ok) throw new Error("not sound")
  })
  const grownMb = Math.round((process.memoryUsage().rss - memory) / 2 ** 20)
  const exportAndCheck = await timed(rows, async () => {
    const { ok } = await verifyAuditExport(log.export(), { trusted: [signer.publicKey] })
    if (!ok) throw new Error("not sound")
  })
  const [size] = await database.owner.transaction((tx) =>
    tx.query<{ bytes: number }>(`select pg_total_relation_size('${scope.schema}.audit_log')::float8 as bytes`),
  )
  const bytesPerRow = Math.round((size?.bytes ?? 0) / rows)
  return {
    rows,
    perSecond: { appendIn500s: append, chain, verify, exportAndCheck },
    verifyGrownMb: grownMb,
    bytesPerRow,
  }
}

function entry(n: number): AuditEntry {
  return {
    action: "credential.use",
    resource: `credential:${n % 100}`,
    actor: { kind: "system", id: "mail.send" },
    details: { signal: "0198c0de-0000-7000-8000-000000000000", attempt: 1 },
  }
}

async function timed(count: number, run: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await run()
  return Math.round((count / (performance.now() - from)) * 1_000)
}

function round(ms = 0): number {
  return Math.round(ms * 10) / 10
}

function fail(name: string, fields: unknown): void {
  process.stderr.write(`${name} ${String((fields as { readonly error?: unknown }).error)}\n`)
}

function textOf({ postgres, acts, log }: { postgres: string; acts: readonly Acts[]; log: unknown }): string {
  const rows = acts.map(
    ({ way, callers, perSecond, p50Ms, p99Ms }) => `| ${callers} | ${way} | ${perSecond} | ${p50Ms} | ${p99Ms} |`,
  )
  return [
    `Postgres ${postgres}`,
    "| callers | way | actions/s | p50 ms | p99 ms |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    JSON.stringify(log, null, 2),
    "",
  ].join("\n")
}

await main()
