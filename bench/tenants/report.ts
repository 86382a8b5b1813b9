import { cpus, totalmem } from "node:os"
import { SETTINGS } from "../durable/postgres.ts"
import type { Migrated } from "./migrating.ts"
import type { Moved } from "./moving.ts"
import type { Options } from "./options.ts"
import type { Times } from "./provisioning.ts"

/** What the emits beside the migrations came to, of both releases together. */
export interface EmitsBeside {
  readonly emits: number
  readonly failed: number
  readonly lost: number
  readonly unexpected: number
  /** Signals whose handler ran. */
  readonly handled: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** All figures of a run. */
export interface Results {
  readonly date: string
  readonly options: Options
  readonly postgres: string
  readonly provisioning: Times
  readonly migrated: Migrated
  readonly killed: Migrated
  readonly emits: EmitsBeside
  readonly moved: Moved | null
  /** Whether nothing failed, was lost or differs. */
  readonly ok: boolean
}

const BYTES_PER_GIB = 2 ** 30

/** The results as a page. */
export function reportOf(results: Results): string {
  const { options, date, postgres, provisioning, migrated, killed, emits, moved, ok } = results
  const [cpu] = cpus()
  return `Made by \`npm run bench:tenants -- --tenants ${options.tenants} --concurrency ${options.concurrency}\` on ${date}.

- ${cpus().length} x ${cpu?.model ?? "unknown"}, ${Math.round(totalmem() / BYTES_PER_GIB)} GiB, ${process.platform}, Node ${process.version}
- Postgres ${postgres} on the same machine: ${Object.entries(SETTINGS)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ")}

| what | count | all, s | p50, ms | p95, ms | slowest, ms |
| --- | --- | --- | --- | --- | --- |
${row(`tenants provisioned, ${options.provisioning} at once`, provisioning)}
${row(`tenants migrated, ${options.concurrency} at once`, migrated.times)}
${row(`the same by another migration, the process killed when ${killed.killedAt} were done`, killed.times)}
${moved ? row(`moves of a tenant with ${moved.signals} signals, to the shared schema and back`, moved.times) : ""}

| check | |
| --- | --- |
| migrations that failed | ${migrated.failed + killed.failed} |
| schemas that needed a second attempt | ${migrated.attemptsAbove1 + killed.attemptsAbove1} |
| schemas in which a migration ran other than once | ${migrated.notOnce + killed.notOnce} |
| from the kill until the next schema was done, ms | ${killed.resumedAfterMs} |
| emits meanwhile to tenants of both releases, from processes of both | ${emits.emits} |
| of these failed, lost, unexpected | ${emits.failed}, ${emits.lost}, ${emits.unexpected} |
| handled by the process of the older release | ${emits.handled} |
| an emit meanwhile, p50, p99, slowest, ms | ${emits.p50Ms}, ${emits.p99Ms}, ${emits.maxMs} |
${moved ? `| moves that failed, or after which signals differ | ${moved.failed}, ${moved.unequal} |\n| checksum of the moved signals before and after | ${moved.checksums.join(", ")} |` : ""}

Everything as expected: ${ok ? "yes" : "NO"}.`
}

function row(what: string, { count, totalMs, p50Ms, p95Ms, maxMs }: Times): string {
  return `| ${what} | ${count} | ${(totalMs / 1_000).toFixed(1)} | ${p50Ms} | ${p95Ms} | ${maxMs} |`
}
