-- What the platform keeps for all tenants of this database: who they are, and what is to be done.

create table fleetprompt.tenants (
  slug text primary key check (slug ~ '^[a-z][a-z0-9_]{1,40}$'),
  schema_name text not null unique,
  -- provisioning: recorded, its schema is not complete; ready: may be used.
  status text not null check (status in ('provisioning', 'ready')),
  -- The number of the last tenant migration that its schema has.
  schema_version integer not null default 0,
  created_at timestamptz not null default now(),
  ready_at timestamptz
);

-- One row is one signal for one handler, still to be done. A settled delivery leaves this table for
-- its tenant's attempts, so that the table stays as small as the backlog.
-- run_at is when the row may be claimed: while a worker has it, when that worker's lease ends. So a
-- lost worker's deliveries come due by themselves. lease_token grows with each claim; who settles must
-- show the token it was given.
create table fleetprompt.deliveries (
  id bigint generated always as identity primary key,
  tenant text not null,
  signal_id uuid not null,
  handler text not null,
  attempt integer not null default 0,
  max_attempts integer not null,
  run_at timestamptz not null default now(),
  lease_token bigint not null default 0,
  leased_by text,
  unique (tenant, signal_id, handler)
);
create index deliveries_run_at_index on fleetprompt.deliveries (run_at, id);

-- Every row is written two or three times and then deleted: vacuum by count, not by share.
alter table fleetprompt.deliveries set (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 5000
);

create function fleetprompt.refuse_update() returns trigger
language plpgsql as $$
begin
  raise exception 'signals are immutable: % of %.% refused', tg_op, tg_table_schema, tg_table_name
    using errcode = 'restrict_violation', hint = 'Emit a new signal that says what changed.';
end
$$;
