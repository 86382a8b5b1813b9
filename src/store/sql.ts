// Made from sql/ by scripts/build-sql.mjs. Edit the .sql files.

/** One step of a schema's history. */
export interface Migration {
  readonly version: number
  readonly name: string
  readonly text: string
}

/** Steps of the control schema, in order. */
export const controlMigrations: readonly Migration[] = [
  {
    "version": 1,
    "name": "0001_initial.sql",
    "text": "-- What the platform keeps for all tenants of this database: who they are, and what is to be done.\n\ncreate table fleetprompt.tenants (\n  slug text primary key check (slug ~ '^[a-z][a-z0-9_]{1,40}$'),\n  schema_name text not null unique,\n  -- provisioning: recorded, its schema is not complete; ready: may be used.\n  status text not null check (status in ('provisioning', 'ready')),\n  -- The number of the last tenant migration that its schema has.\n  schema_version integer not null default 0,\n  created_at timestamptz not null default now(),\n  ready_at timestamptz\n);\n\n-- One row is one signal for one handler, still to be done. A settled delivery leaves this table for\n-- its tenant's attempts, so that the table stays as small as the backlog.\n-- run_at is when the row may be claimed: while a worker has it, when that worker's lease ends. So a\n-- lost worker's deliveries come due by themselves. lease_token grows with each claim; who settles must\n-- show the token it was given.\ncreate table fleetprompt.deliveries (\n  id bigint generated always as identity primary key,\n  tenant text not null,\n  signal_id uuid not null,\n  handler text not null,\n  attempt integer not null default 0,\n  max_attempts integer not null,\n  run_at timestamptz not null default now(),\n  lease_token bigint not null default 0,\n  leased_by text,\n  unique (tenant, signal_id, handler)\n);\ncreate index deliveries_run_at_index on fleetprompt.deliveries (run_at, id);\n\n-- Every row is written two or three times and then deleted: vacuum by count, not by share.\nalter table fleetprompt.deliveries set (\n  fillfactor = 70,\n  autovacuum_vacuum_scale_factor = 0,\n  autovacuum_vacuum_threshold = 5000\n);\n\ncreate function fleetprompt.refuse_update() returns trigger\nlanguage plpgsql as $$\nbegin\n  raise exception 'signals are immutable: % of %.% refused', tg_op, tg_table_schema, tg_table_name\n    using errcode = 'restrict_violation', hint = 'Emit a new signal that says what changed.';\nend\n$$;\n"
  }
]

/** Steps of each tenant's schema, in order; `:schema` stands for its quoted name. */
export const tenantMigrations: readonly Migration[] = [
  {
    "version": 1,
    "name": "0001_initial.sql",
    "text": "-- One tenant's facts. :schema is replaced by the tenant's quoted schema name.\n\ncreate table :schema.signals (\n  id uuid primary key,\n  type text not null,\n  source text not null,\n  subject_type text,\n  subject_id uuid,\n  data jsonb not null,\n  metadata jsonb not null default '{}',\n  occurred_at timestamptz not null,\n  dedupe_key text,\n  source_event_id text,\n  visibility text not null default 'internal' check (visibility in ('internal', 'admin_only')),\n  inserted_at timestamptz not null default now(),\n  updated_at timestamptz not null default now()\n);\ncreate index signals_type_index on :schema.signals (type);\ncreate index signals_occurred_at_index on :schema.signals (occurred_at);\ncreate index signals_subject_index on :schema.signals (subject_type, subject_id);\ncreate unique index signals_source_event_index on :schema.signals (source, source_event_id)\n  where source_event_id is not null;\ncreate unique index signals_dedupe_key_index on :schema.signals (dedupe_key)\n  where dedupe_key is not null;\n\ncreate trigger signals_refuse_update before update or truncate on :schema.signals\n  for each statement execute function fleetprompt.refuse_update();\n\n-- Cause and effect, so that a signal's effects are found without reading every signal's metadata.\ncreate table :schema.effects (\n  cause_id uuid not null,\n  effect_id uuid not null,\n  primary key (cause_id, effect_id)\n);\ncreate index effects_effect_id_index on :schema.effects (effect_id);\n\n-- What came of each attempt at a delivery. The last one, done or dead, closes the delivery.\ncreate table :schema.attempts (\n  id bigint generated always as identity primary key,\n  signal_id uuid not null,\n  handler text not null,\n  attempt integer not null,\n  outcome text not null check (outcome in ('done', 'failed', 'dead')),\n  worker text not null,\n  started_at timestamptz not null,\n  finished_at timestamptz not null,\n  error jsonb\n);\ncreate index attempts_signal_id_index on :schema.attempts (signal_id);\n"
  }
]
