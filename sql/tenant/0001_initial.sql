-- One tenant's facts. :schema is replaced by the tenant's quoted schema name.

create table :schema.signals (
  id uuid primary key,
  type text not null,
  source text not null,
  subject_type text,
  subject_id uuid,
  data jsonb not null,
  metadata jsonb not null default '{}',
  occurred_at timestamptz not null,
  dedupe_key text,
  source_event_id text,
  visibility text not null default 'internal' check (visibility in ('internal', 'admin_only')),
  inserted_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index signals_type_index on :schema.signals (type);
create index signals_occurred_at_index on :schema.signals (occurred_at);
create index signals_subject_index on :schema.signals (subject_type, subject_id);
create unique index signals_source_event_index on :schema.signals (source, source_event_id)
  where source_event_id is not null;
create unique index signals_dedupe_key_index on :schema.signals (dedupe_key)
  where dedupe_key is not null;

create trigger signals_refuse_update before update or truncate on :schema.signals
  for each statement execute function fleetprompt.refuse_update();

-- Cause and effect, so that a signal's effects are found without reading every signal's metadata.
create table :schema.effects (
  cause_id uuid not null,
  effect_id uuid not null,
  primary key (cause_id, effect_id)
);
create index effects_effect_id_index on :schema.effects (effect_id);

-- What came of each attempt at a delivery. The last one, done or dead, closes the delivery.
create table :schema.attempts (
  id bigint generated always as identity primary key,
  signal_id uuid not null,
  handler text not null,
  attempt integer not null,
  outcome text not null check (outcome in ('done', 'failed', 'dead')),
  worker text not null,
  started_at timestamptz not null,
  finished_at timestamptz not null,
  error jsonb
);
create index attempts_signal_id_index on :schema.attempts (signal_id);
