import { newId } from "../../src/signal/id.ts"
import type { Queryable } from "../../src/store/database.ts"
import type { TenantScope } from "../../src/store/tenant-scope.ts"

/** A signal as a test puts it into the table. */
export interface PlainSignal {
  readonly id?: string
  /** Default `test.happened`. */
  readonly type?: string
  readonly data?: unknown
  readonly dedupeKey?: string
  readonly sourceEventId?: string
  readonly visibility?: "internal" | "admin_only"
  /** How long ago it was stored, days. Default 0. */
  readonly ageDays?: number
}

/** Puts signals into a tenant's table by plain SQL, in one statement, without deliveries. @returns their ids */
export async function insertPlainSignals(
  db: Queryable,
  scope: TenantScope,
  signals: readonly PlainSignal[],
): Promise<readonly string[]> {
  const rows = signals.map((signal) => ({
    id: signal.id ?? newId(),
    type: signal.type ?? "test.happened",
    data: signal.data ?? {},
    dedupe_key: signal.dedupeKey ?? null,
    source_event_id: signal.sourceEventId ?? null,
    visibility: signal.visibility ?? "internal",
    age_days: signal.ageDays ?? 0,
  }))
  await db.query(
    `insert into ${scope.schema}.signals
       (tenant, id, type, source, data, metadata, occurred_at, inserted_at, dedupe_key, source_event_id, visibility)
     select $1, id, type, 'test', data, json_build_object('schema_version', 1, 'correlation_id', id, 'causation_id', null),
       now() - age_days * interval '24 hours', now() - age_days * interval '24 hours', dedupe_key, source_event_id, visibility
     from json_to_recordset($2::text::json) as row (id uuid, type text, data jsonb, dedupe_key text,
       source_event_id text, visibility text, age_days float8)`,
    [scope.slug, JSON.stringify(rows)],
  )
  return rows.map(({ id }) => id)
}
