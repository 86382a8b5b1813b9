import { escapeIdentifier, Pool } from "pg"
import { newId } from "../../../src/signal/id.ts"
import type { EventData, Setup, Station } from "../station.ts"
import { open as openOurs } from "./ours.ts"

const POOL_SIZE = 20

/**
 * The ceiling: the rows of our signals with all their indexes, inserted by plain statements. No library, no
 * checks, no jobs.
 */
export async function open(setup: Setup): Promise<Station> {
  const ours = await openOurs({ ...setup, works: false })
  await ours.close()
  const pool = new Pool({ connectionString: setup.url, max: POOL_SIZE })
  const text = insertText(await schemaOf(pool))
  const insert = (events: readonly EventData[]) =>
    pool.query({ name: "insert", text, values: [JSON.stringify(events.map(rowOf))] })
  return {
    emit: (data) => insert([data]),
    emitBatch: insert,
    hasOpenJobs: async () => false,
    close: () => pool.end(),
  }
}

async function schemaOf(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ schema_name: string }>(
    "select schema_name from fleetprompt.tenants where slug <> 'fleetprompt'",
  )
  const [tenant] = rows
  if (!tenant) throw new Error("expected a tenant")
  return escapeIdentifier(tenant.schema_name)
}

function insertText(schema: string): string {
  return `insert into ${schema}.signals (tenant, id, type, source, data, metadata, occurred_at)
    select tenant, id, type, source, data, metadata, occurred_at from json_to_recordset($1::text::json) as row
      (tenant text, id uuid, type text, source text, data jsonb, metadata jsonb, occurred_at timestamptz)`
}

function rowOf(data: EventData): object {
  const id = newId()
  return {
    tenant: data.tenant,
    id,
    type: "bench.order.placed",
    source: "app",
    data,
    metadata: { correlation_id: id, causation_id: null },
    occurred_at: new Date().toISOString(),
  }
}
