import { readFile } from "node:fs/promises"
import type { FaultPostgres } from "../fault-postgres.ts"
import { schemasOf, type TenantPlace } from "../invariants/evidence.ts"
import type { Crew } from "./crew.ts"

/** How large things are at a moment. */
export interface Sample {
  readonly minute: number
  /** Rows. */
  readonly signals: number
  readonly deliveries: number
  /** Of the queue's table. */
  readonly deadTuples: number
  /** With indexes, MB. */
  readonly queueMb: number
  readonly signalsMb: number
  readonly attemptsMb: number
  /** Resident memory of each member in the order of the crew, MB; null while it is away. */
  readonly memoryMb: readonly (number | null)[]
}

const MB = 1_000_000

/** Measures. @throws what the database answers while it is away */
export async function takeSample(
  minute: number,
  database: FaultPostgres,
  tenants: readonly TenantPlace[],
  crew: Crew,
): Promise<Sample> {
  const schemas = schemasOf(tenants)
  const [row] = await database.query<Record<string, string>>(
    `select ${sum(schemas, (schema) => `(select count(*) from ${schema}.signals)`)} as signals,
       (select count(*) from fleetprompt.deliveries) as deliveries,
       pg_total_relation_size('fleetprompt.deliveries') as queue,
       ${sum(schemas, (schema) => `pg_total_relation_size('${schema}.signals')`)} as "signalsSize",
       ${sum(schemas, (schema) => `pg_total_relation_size('${schema}.attempts')`)} as "attemptsSize"`,
  )
  const memoryMb = await Promise.all(crew.members().map((member) => memoryOf(crew.processOf(member)?.pid)))
  return {
    minute,
    signals: Number(row?.["signals"]),
    deliveries: Number(row?.["deliveries"]),
    deadTuples: await deadTuples(database),
    queueMb: inMb(row?.["queue"]),
    signalsMb: inMb(row?.["signalsSize"]),
    attemptsMb: inMb(row?.["attemptsSize"]),
    memoryMb,
  }
}

function sum(schemas: readonly string[], term: (schema: string) => string): string {
  return schemas.map(term).join(" + ")
}

function inMb(bytes: string | undefined): number {
  return Math.round(Number(bytes) / MB)
}

/** Counted where Postgres has the extension for it, since a crash makes it forget what it knew of them. */
async function deadTuples({ query }: FaultPostgres): Promise<number> {
  const [known] = await query("select from pg_available_extensions where name = 'pgstattuple'")
  if (known) await query("create extension if not exists pgstattuple schema public")
  const [row] = await query<{ count: string }>(
    known
      ? "select dead_tuple_count as count from public.pgstattuple('fleetprompt.deliveries')"
      : "select n_dead_tup as count from pg_stat_user_tables where relid = 'fleetprompt.deliveries'::regclass",
  )
  return Number(row?.count)
}

/** As the system tells it, which also answers for a process that stands still. */
async function memoryOf(pid: number | undefined): Promise<number | null> {
  if (pid === undefined) return null
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "")
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? []
  return kib === undefined ? null : Math.round((Number(kib) * 1_024) / MB)
}
