-- Who did what, for good: a chain of rows, in which each holds the hash of the one before. Rows come by way of
-- fleetprompt.audit_intake, which holds them until they have their place in the chain.
create table :schema.audit_log (
  tenant text collate "C" not null :tenant,
  -- 1 and on, without a gap.
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
  -- SHA-256 of all the others, as RFC 8785 writes them.
  hash bytea not null,
  primary key (:key position)
);
create index audit_log_resource_index on :schema.audit_log (:key resource, position);
create index audit_log_actor_index on :schema.audit_log (:key actor_id, position);
create trigger audit_log_refuse_change before update or delete or truncate on :schema.audit_log
  for each statement execute function fleetprompt.refuse_audit_change();
-- A tenant's transaction reads its log. Rows are added by the platform alone, which does not read them.
select fleetprompt.raise_append_only_wall(':schema.audit_log'::regclass);
revoke insert on :schema.audit_log from fleetprompt_tenant;
select fleetprompt.let_engine_insert(':schema.audit_log'::regclass);

-- Where a tenant's chain ends, signed with a key that the database does not have. Rows up to base_position were
-- archived and pruned; base_hash is the hash of the last of them.
create table :schema.audit_heads (
  tenant text collate "C" primary key :tenant,
  base_position bigint not null default 0,
  base_hash bytea not null,
  position bigint not null default 0,
  hash bytea not null,
  signed_at timestamptz not null,
  key_id text,
  signature bytea
);
select fleetprompt.raise_wall(':schema.audit_heads'::regclass);
revoke insert, update, delete on :schema.audit_heads from fleetprompt_tenant;
create policy engine_rows on :schema.audit_heads to fleetprompt_engine using (true) with check (true);
grant select, insert, update on :schema.audit_heads to fleetprompt_engine;
