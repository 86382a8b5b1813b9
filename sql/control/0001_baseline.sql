-- What the platform keeps for all tenants of this database: who they are, and what is to be done.
-- Texts that are keys compare by bytes (collate "C"): faster, and the same on every machine.

create table fleetprompt.tenants (
  slug text collate "C" primary key check (slug ~ '^[a-z][a-z0-9_]{1,40}$'),
  schema_name text not null,
  -- own: a schema of its own; shared: rows in the schema that small tenants share.
  placement text not null default 'own' check (placement in ('own', 'shared')),
  -- How much of the workers a tenant gets while others want them too.
  class text not null default 'standard' check (class in ('standard', 'premium', 'enterprise')),
  -- provisioning: recorded, its schema is not complete; ready: may be used.
  status text not null check (status in ('provisioning', 'ready')),
  -- The number of the last tenant migration that its schema has.
  schema_version integer not null default 0,
  created_at timestamptz not null default now(),
  ready_at timestamptz
);
create unique index tenants_own_schema_index on fleetprompt.tenants (schema_name) where placement = 'own';

-- One row is one signal for one handler, still to be done. A settled delivery leaves this table for
-- its tenant's attempts, so that the table stays as small as the backlog.
-- A row may be claimed when run_at has come and nobody's lease holds it. A lost worker's lease ends by
-- itself. lease_token grows with each claim, return and release; who settles must show the one it was given.
-- A claim and a heartbeat change no indexed column, so they write no index.
create table fleetprompt.deliveries (
  tenant text collate "C" not null,
  signal_id uuid not null,
  handler text collate "C" not null,
  -- The order of insertion, which no clock can turn round.
  position bigint generated always as identity,
  priority smallint not null default 0,
  -- Version of the handler that the delivery was made for: older code leaves it alone.
  version integer not null default 1,
  run_at timestamptz not null default now(),
  attempt integer not null default 0,
  lease_token bigint not null default 0,
  leased_until timestamptz,
  leased_by text,
  -- What the handler's limits and order go by, when they go by a key.
  flow_key text collate "C",
  replay_id uuid,
  enqueued_at timestamptz not null default now(),
  primary key (signal_id, handler, tenant)
);
-- A lane is one handler's deliveries of one tenant and priority. Each is read from its head.
create index deliveries_lane_index on fleetprompt.deliveries (handler, tenant, priority, run_at, position);
create index deliveries_key_index on fleetprompt.deliveries (handler, tenant, flow_key, position)
  where flow_key is not null;

-- Every row is written two or three times and then deleted: vacuum by count, not by share.
alter table fleetprompt.deliveries set (
  -- Half of a page is left to the claims and heartbeats of its rows, so that they write no index.
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 50000
);

-- Deliveries that run for handlers with a limit on how many may. A row counts only while its delivery
-- is held under the same token, so nobody has to take it away when the delivery is settled or lost.
create table fleetprompt.slots (
  signal_id uuid not null,
  handler text collate "C" not null,
  tenant text collate "C" not null,
  flow_key text collate "C",
  lease_token bigint not null,
  primary key (handler, tenant, signal_id)
);

-- What each rate limit has let through: how many, and when. What is older than the limit's period is removed
-- by the next claim. flow_key is empty where the limit is the tenant's.
create table fleetprompt.rate_spends (
  handler text collate "C" not null,
  tenant text collate "C" not null,
  flow_key text collate "C" not null,
  spent_at timestamptz not null default now(),
  count integer not null
);
create index rate_spends_index on fleetprompt.rate_spends (handler, tenant, flow_key, spent_at);

-- What is not to be claimed; '*' stands for every tenant or every handler.
create table fleetprompt.pauses (
  tenant text collate "C" not null,
  handler text collate "C" not null,
  reason text,
  paused_at timestamptz not null default now(),
  primary key (tenant, handler)
);

-- Work by the clock. next_slot is the first slot that was not fired; whoever fires one holds the lease.
create table fleetprompt.schedules (
  name text collate "C" primary key,
  cron text not null,
  time_zone text not null,
  next_slot timestamptz not null,
  last_slot timestamptz,
  last_fired_at timestamptz,
  leased_until timestamptz,
  leased_by text,
  paused_at timestamptz
);

-- Replays: signals of a tenant that handlers are to run on again.
create table fleetprompt.replays (
  id uuid primary key,
  tenant text collate "C" not null,
  -- What was asked for: filter, handler, force, rate.
  request jsonb not null,
  requested_by text,
  reason text,
  status text not null default 'running' check (status in ('running', 'paused', 'completed', 'cancelled', 'failed')),
  -- The last signal that was looked at, in the order of their commits.
  cursor_tx xid8,
  cursor_position bigint,
  -- Signals in all, as counted at the start; looked at so far; deliveries made, and left out.
  total bigint not null,
  seen bigint not null default 0,
  enqueued bigint not null default 0,
  skipped bigint not null default 0,
  error jsonb,
  leased_until timestamptz,
  leased_by text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz
);
create index replays_tenant_index on fleetprompt.replays (tenant, created_at);
create index replays_running_index on fleetprompt.replays (created_at) where status = 'running';
create index deliveries_replay_index on fleetprompt.deliveries (replay_id) where replay_id is not null;

create function fleetprompt.refuse_update() returns trigger
language plpgsql as $$
begin
  raise exception 'signals are immutable: % of %.% refused', tg_op, tg_table_schema, tg_table_name
    using errcode = 'restrict_violation', hint = 'Emit a new signal that says what changed.';
end
$$;
