import type { Database } from "../../../src/store/database.ts"
import { migrateControl } from "../../../src/store/migrate.ts"
import { type Placement, tenantScope } from "../../../src/store/tenant-scope.ts"
import { provisionTenant } from "../../../src/tenants/provision.ts"
import { forgetPlans } from "./prepared-statements.ts"

/** Tenants of every simulation: one with a schema of its own, two that share one. */
export const TENANT_NAMES = ["acme", "bolt", "crux"] as const

const PLACEMENTS: Readonly<Record<string, Placement>> = { acme: "own", bolt: "shared", crux: "shared" }

const TENANT_TABLES = ["signals", "effects", "attempts", "dead_letters", "expired_keys"]
const CONTROL_TABLES = ["deliveries", "slots", "rate_spends", "pauses", "schedules", "replays"]

/** The quoted schema of one of the tenants. */
function schemaOf(tenant: string): string {
  return tenantScope(tenant, PLACEMENTS[tenant]).schema
}

/** The schemas of all tenants, each once. */
export function schemas(): readonly string[] {
  return [...new Set(TENANT_NAMES.map(schemaOf))]
}

/**
 * Prepares a database for simulations: schemas, tenants, and a journal of the queue that a trigger writes. What is
 * taken back is taken back in the journal too.
 */
export async function prepareStore(database: Database): Promise<void> {
  await migrateControl(database)
  for (const [slug, placement] of Object.entries(PLACEMENTS)) await provisionTenant(database, slug, { placement })
  await database.script(`
    create schema simulation;
    create table simulation.journal (
      n bigint generated always as identity, instant timestamptz not null default clock_timestamp(),
      began timestamptz not null default now(), tx_id xid8 not null default pg_current_xact_id(),
      op text not null, old fleetprompt.deliveries, new fleetprompt.deliveries
    );
    create function simulation.note() returns trigger language plpgsql security definer as $$
    begin
      insert into simulation.journal (op, old, new) values (tg_op, old, new);
      return null;
    end $$;
    create trigger simulation_note after insert or update or delete on fleetprompt.deliveries
      for each row execute function simulation.note();
  `)
}

/** Empties everything but the tenants. Tables become new files and `random()` begins anew, so that every simulation finds the same. */
export async function emptyStore(database: Database): Promise<void> {
  const tables = [
    "simulation.journal",
    ...CONTROL_TABLES.map((table) => `fleetprompt.${table}`),
    ...schemas().flatMap((schema) => TENANT_TABLES.map((table) => `${schema}.${table}`)),
  ]
  const used = await database.query<{ name: string }>(
    "select name from jsonb_array_elements_text($1::text::jsonb) as name where pg_relation_size(name::regclass) > 0",
    [JSON.stringify(tables)],
  )
  await forgetPlans(database)
  await database.query("select setseed(0.5)")
  if (used.length === 0) return
  // The trigger that protects signals has to be passed by.
  await database.script(`
    set session_replication_role = replica;
    truncate ${used.map(({ name }) => name).join(", ")} restart identity;
    set session_replication_role = origin;
  `)
}
