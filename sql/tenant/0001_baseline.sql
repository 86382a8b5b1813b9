-- One tenant's facts, or those of all tenants that share a schema.
-- :schema is replaced by the quoted schema name; :tenant by the tenant column's default, which only a
-- tenant's own schema has; :key by nothing there, and by "tenant, " in a shared schema, whose keys and
-- indexes all begin with the tenant.

create table :schema.signals (
  id uuid not null,
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
  updated_at timestamptz not null default now(),
  tenant text collate "C" not null :tenant,
  -- Who read in this order, up to the oldest transaction still open, miss none: a sequence alone would
  -- show a later row before an earlier one that is committed late.
  tx_id xid8 not null default pg_current_xact_id(),
  position bigint generated always as identity,
  primary key (:key id)
);
create index signals_type_index on :schema.signals (:key type);
-- Rows lie in the order of their time, nearly: a summary of each range of pages is index enough.
create index signals_occurred_at_index on :schema.signals using brin (occurred_at) with (pages_per_range = 16, autosummarize = on);
create index signals_subject_index on :schema.signals (:key subject_type, subject_id) where subject_id is not null;
create unique index signals_source_event_index on :schema.signals (:key source, source_event_id)
  where source_event_id is not null;
create unique index signals_dedupe_key_index on :schema.signals (:key dedupe_key)
  where dedupe_key is not null;
create index signals_order_index on :schema.signals (:key tx_id, position);

create trigger signals_refuse_update before update or truncate on :schema.signals
  for each statement execute function fleetprompt.refuse_update();

-- Cause and effect, so that a signal's effects are found without reading every signal's metadata.
create table :schema.effects (
  cause_id uuid not null,
  effect_id uuid not null,
  tenant text collate "C" not null :tenant,
  primary key (:key cause_id, effect_id)
);
create index effects_effect_id_index on :schema.effects (:key effect_id);

-- What came of each attempt at a delivery. The last one closes the delivery, unless it is taken up again.
create table :schema.attempts (
  signal_id uuid not null,
  handler text not null,
  attempt integer not null,
  -- failed, snoozed: to be tried again; lost: its process went away; discarded: a dead letter thrown away.
  outcome text not null
    check (outcome in ('done', 'failed', 'snoozed', 'cancelled', 'dead', 'lost', 'discarded')),
  worker text not null,
  version integer not null default 1,
  replay_id uuid,
  -- For lost: unknown, so the moment at which the loss was noticed.
  started_at timestamptz not null,
  finished_at timestamptz not null,
  error jsonb,
  tenant text collate "C" not null :tenant
);
create index attempts_signal_id_index on :schema.attempts (:key signal_id);

-- Deliveries that were given up and wait for someone's decision.
create table :schema.dead_letters (
  signal_id uuid not null,
  handler text not null,
  attempts integer not null,
  priority smallint not null default 0,
  version integer not null default 1,
  flow_key text,
  replay_id uuid,
  error jsonb,
  died_at timestamptz not null default now(),
  tenant text collate "C" not null :tenant,
  primary key (:key signal_id, handler)
);
create index dead_letters_died_at_index on :schema.dead_letters (:key died_at);

-- Keys of signals that retention removed, so that a late duplicate is still known as one.
create table :schema.expired_keys (
  signal_id uuid not null,
  source text not null,
  dedupe_key text,
  source_event_id text,
  -- SHA-256 of what the key stood for, as RFC 8785 writes it.
  content_hash bytea not null,
  occurred_at timestamptz not null,
  expires_at timestamptz not null,
  tenant text collate "C" not null :tenant,
  primary key (:key signal_id)
);
create unique index expired_keys_dedupe_key_index on :schema.expired_keys (:key dedupe_key)
  where dedupe_key is not null;
create unique index expired_keys_source_event_index on :schema.expired_keys (:key source, source_event_id)
  where source_event_id is not null;
create index expired_keys_expires_at_index on :schema.expired_keys (:key expires_at);
