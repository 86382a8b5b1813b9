import { type AuditEntryRecord, ENTRY_COLUMNS } from "./audit-intake.ts"
import type { Queryable } from "./database.ts"

/** An entry that waits in the intake of one database and belongs to a log in another. */
export interface ForwardedEntry extends AuditEntryRecord {
  /** Its place in the intake. */
  readonly arrival: number
}

/** Entries of one log that wait in the intake, in the order they came. */
export async function selectAuditIntake(tx: Queryable, log: string, limit: number): Promise<readonly ForwardedEntry[]> {
  return tx.query<ForwardedEntry>(
    `/* selectAuditIntake */ select arrival::float8 as arrival, ${ENTRY_COLUMNS}, details
     from fleetprompt.audit_intake where tenant = $1 order by arrival limit $2`,
    [log, limit],
  )
}

/** Takes entries out of the intake, which another database has. */
export async function deleteForwarded(tx: Queryable, log: string, arrivals: readonly number[]): Promise<void> {
  await tx.query(
    `/* deleteForwarded */ delete from fleetprompt.audit_intake
     where tenant = $1 and arrival in (select value::bigint from json_array_elements_text($2::text::json))`,
    [log, JSON.stringify(arrivals)],
  )
}

/** Stores entries that another database passes on, as they were; those that it passed on before are left out. */
export async function insertForwarded(tx: Queryable, log: string, entries: readonly ForwardedEntry[]): Promise<void> {
  await tx.query(
    `/* insertForwarded */ with entry as (
       select * from json_to_recordset($2::text::json) as entry (arrival bigint, id uuid, "occurredAt" timestamptz, "actorKind" text,
         "actorId" text, "actorRole" text, action text, resource text, outcome text, details json, "correlationId" text)
     ), fresh as (
       insert into fleetprompt.audit_received (tenant, id) select $1, id from entry on conflict do nothing returning id
     )
     insert into fleetprompt.audit_intake
       (tenant, id, occurred_at, actor_kind, actor_id, actor_role, action, resource, outcome, details, correlation_id)
     select $1, id, "occurredAt", "actorKind", "actorId", "actorRole", action, resource, outcome, details, "correlationId"
     from entry where id in (select id from fresh) order by arrival`,
    [log, JSON.stringify(entries)],
  )
}

/** Forgets which entries were passed on long ago: those are out of the other database's intake. */
export async function deleteReceived(tx: Queryable): Promise<void> {
  await tx.query(
    `/* deleteReceived */ delete from fleetprompt.audit_received where received_at < now() - interval '7 days'`,
  )
}
