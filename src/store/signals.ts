import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Queryable } from "./database.ts"
import { fromRecord, SIGNAL_COLUMNS, type SignalRecord } from "./signal-record.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** The stored signal that has the id, the dedupe key or the provider's event id of another one. */
export async function selectTwin(
  tx: Queryable,
  scope: TenantScope,
  signal: StoredSignal,
): Promise<StoredSignal | undefined> {
  const [row] = await tx.query<SignalRecord>(
    `/* selectTwin */ select ${SIGNAL_COLUMNS} from ${scope.schema}.signals where tenant = $5 and id = $1
     union all
     select ${SIGNAL_COLUMNS} from ${scope.schema}.signals where tenant = $5 and dedupe_key = $2
     union all
     select ${SIGNAL_COLUMNS} from ${scope.schema}.signals where tenant = $5 and source = $3 and source_event_id = $4
     limit 1`,
    [signal.id, signal.dedupeKey, signal.source, signal.sourceEventId, scope.slug],
  )
  return row && fromRecord(row)
}

/** The signals of one tenant with these ids, in no order; ids that are not there are left out. */
export async function selectSignals(
  tx: Queryable,
  scope: TenantScope,
  ids: readonly string[],
): Promise<readonly StoredSignal[]> {
  return selectSignalsOf(
    tx,
    scope.schema,
    ids.map((id) => ({ tenant: scope.slug, id })),
  )
}

/** Names a signal in a schema that several tenants may share. */
export interface SignalKey {
  readonly tenant: string
  readonly id: string
}

/** The signals of the tenants of one schema with these keys, in no order. */
export async function selectSignalsOf(
  tx: Queryable,
  schema: string,
  keys: readonly SignalKey[],
): Promise<readonly StoredSignal[]> {
  const rows = await tx.query<SignalRecord>(
    `/* selectSignals */ select found.* from jsonb_to_recordset($1::text::jsonb) as asked (tenant text, id uuid)
     cross join lateral (
       select ${SIGNAL_COLUMNS} from ${schema}.signals where signals.tenant = asked.tenant and signals.id = asked.id limit 1
     ) as found`,
    [JSON.stringify(keys)],
  )
  return rows.map(fromRecord)
}
