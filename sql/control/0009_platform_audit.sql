-- Audit entries come in here, in the transaction of what they tell of; the chainer moves them on into the log of
-- their tenant, in one row after the other. So whoever does something privileged waits for nobody else's commit,
-- and a chain has one writer at a time. The rows of all tenants stand in one table, so that one look finds what
-- is to be done. tenant is '*' for the platform's own log, which no slug can be.
create table fleetprompt.audit_intake (
  tenant text collate "C" not null,
  arrival bigint generated always as identity,
  id uuid not null,
  occurred_at timestamptz not null default clock_timestamp(),
  actor_kind text not null,
  actor_id text not null,
  actor_role text,
  action text not null,
  resource text not null,
  outcome text not null check (outcome in ('done', 'denied', 'failed')),
  details json,
  correlation_id text,
  primary key (tenant, arrival)
);
-- Every row is written once and soon deleted: vacuum by count, not by share.
alter table fleetprompt.audit_intake set (
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 50000
);
select fleetprompt.raise_wall('fleetprompt.audit_intake'::regclass);
-- A tenant's transaction may say what was done, and take nothing back.
revoke all on fleetprompt.audit_intake from fleetprompt_tenant;
grant insert on fleetprompt.audit_intake to fleetprompt_tenant;

-- No role of the running fleet may change or remove what stands in an audit log; this keeps the owner of the tables
-- from doing so by mistake. Who prunes on purpose says so for the length of the transaction:
-- set local fleetprompt.audit_maintenance = 'on'
create function fleetprompt.refuse_audit_change() returns trigger
language plpgsql as $$
begin
  if current_setting('fleetprompt.audit_maintenance', true) = 'on' then
    return null;
  end if;
  raise exception 'an audit log only grows: % of %.% refused', tg_op, tg_table_schema, tg_table_name
    using errcode = 'restrict_violation', hint = 'Archive and prune it with: fleetprompt audit prune';
end
$$;

-- What was done to the platform itself, and to tenants that are not there yet or not any more. Same columns as the
-- log of a tenant.
create table fleetprompt.audit_log (
  tenant text collate "C" not null check (tenant = '*'),
  position bigint not null check (position > 0),
  id uuid not null,
  occurred_at timestamptz not null check (isfinite(occurred_at)),
  actor_kind text not null,
  actor_id text not null,
  actor_role text,
  action text not null,
  resource text not null,
  outcome text not null check (outcome in ('done', 'denied', 'failed')),
  details json,
  correlation_id text,
  previous_hash bytea not null,
  hash bytea not null,
  primary key (tenant, position)
);
create index audit_log_resource_index on fleetprompt.audit_log (tenant, resource, position);
create index audit_log_actor_index on fleetprompt.audit_log (tenant, actor_id, position);
create trigger audit_log_refuse_change before update or delete or truncate on fleetprompt.audit_log
  for each statement execute function fleetprompt.refuse_audit_change();
select fleetprompt.raise_append_only_wall('fleetprompt.audit_log'::regclass);
revoke all on fleetprompt.audit_log from fleetprompt_tenant;

-- Where the platform's chain ends. signature is over all that stands before it.
create table fleetprompt.audit_heads (
  tenant text collate "C" primary key check (tenant = '*'),
  base_position bigint not null default 0,
  base_hash bytea not null,
  position bigint not null default 0,
  hash bytea not null,
  signed_at timestamptz not null,
  key_id text,
  signature bytea
);
select fleetprompt.raise_wall('fleetprompt.audit_heads'::regclass);
revoke all on fleetprompt.audit_heads from fleetprompt_tenant;
revoke delete on fleetprompt.audit_heads from fleetprompt_engine;
