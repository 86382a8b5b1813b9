-- A tenant's life: what it may be, what is being done to it, and when processes have to look again.

alter table fleetprompt.tenants drop constraint tenants_status_check;
alter table fleetprompt.tenants
  -- provisioning: recorded, its schema is not complete; ready: may be used; suspended: nothing comes in and nothing is
  -- run; moving: as suspended, for as long as its rows are copied; deleting: as suspended, until delete_after; deleted:
  -- its rows are gone, the slug is kept back until free_after; failed: somebody has to look.
  add constraint tenants_status_check check
    (status in ('provisioning', 'ready', 'suspended', 'moving', 'deleting', 'deleted', 'failed')),
  -- What it was before it was moved or before it was to be deleted, and will be again.
  add column status_before text check (status_before in ('ready', 'suspended', 'failed', 'provisioning')),
  add column status_reason text,
  -- Its deliveries are not claimed, whatever its status is.
  add column holds_deliveries boolean not null default false,
  add column suspended_at timestamptz,
  add column delete_after timestamptz,
  add column deleted_at timestamptz,
  -- Nobody may take the slug of a deleted tenant before.
  add column free_after timestamptz,
  -- Grows with each move, so that places in an order that does not hold any more are told from those that do.
  add column generation integer not null default 1 check (generation > 0),
  -- When processes that know the tenant have to read it anew. By the clock, not by the beginning of the transaction.
  add column changed_at timestamptz not null default clock_timestamp(),
  add constraint tenants_delete_after_check check ((status = 'deleting') = (delete_after is not null)),
  add constraint tenants_deleted_at_check check ((status = 'deleted') = (deleted_at is not null)),
  add constraint tenants_suspended_at_check check (status <> 'suspended' or suspended_at is not null);
create index tenants_changed_index on fleetprompt.tenants (changed_at);
create index tenants_closed_index on fleetprompt.tenants (slug) where status <> 'ready' or holds_deliveries;

-- Which status may follow which. The engine asks the same of itself; this holds for everybody else too.
create function fleetprompt.check_tenant_change() returns trigger
language plpgsql as $$
begin
  if new.slug <> old.slug then
    raise exception 'a tenant keeps its slug: % cannot become %', old.slug, new.slug using errcode = 'restrict_violation';
  end if;
  if new.status <> old.status and not (case old.status
      when 'provisioning' then new.status in ('ready', 'failed', 'deleting')
      when 'ready' then new.status in ('suspended', 'moving', 'deleting', 'failed')
      when 'suspended' then new.status in ('ready', 'moving', 'deleting', 'failed')
      when 'moving' then new.status in ('ready', 'suspended', 'failed')
      when 'deleting' then new.status in ('ready', 'suspended', 'failed', 'provisioning', 'deleted')
      when 'deleted' then new.status = 'provisioning'
      when 'failed' then new.status in ('ready', 'suspended', 'provisioning', 'deleting')
      else false
    end) then
    raise exception 'a tenant that is % cannot become %', old.status, new.status using errcode = 'restrict_violation';
  end if;
  -- Only while it is moved, or made anew, do its rows get another place.
  if new.schema_name <> old.schema_name and old.status not in ('moving', 'deleted') then
    raise exception 'a tenant that is % cannot get another placement', old.status using errcode = 'restrict_violation';
  end if;
  new.changed_at := clock_timestamp();
  return new;
end
$$;
create trigger tenants_check_change before update on fleetprompt.tenants
  for each row execute function fleetprompt.check_tenant_change();

-- Something that is done to a tenant and takes a while. Whoever holds the lease does the next step; each step may be
-- done twice without harm, so another process goes on where one was lost.
create table fleetprompt.tenant_operations (
  id uuid primary key,
  tenant text collate "C" not null,
  kind text not null check (kind in ('provision', 'suspend', 'resume', 'export', 'import', 'delete', 'move')),
  params jsonb not null default '{}',
  -- waiting: not before due_at; running: whoever has the lease works on it.
  status text not null default 'running' check (status in ('waiting', 'running', 'completed', 'cancelled', 'failed')),
  step text not null,
  -- Where the step is, for whoever goes on.
  state jsonb not null default '{}',
  progress_done bigint not null default 0,
  progress_total bigint not null default 0,
  error jsonb,
  -- Only this process can go on with it, since it reads or writes a file there; null: any can.
  bound_to text,
  cancel_requested boolean not null default false,
  due_at timestamptz not null default now(),
  attempts integer not null default 0,
  requested_by text,
  reason text,
  leased_until timestamptz,
  leased_by text,
  lease_token bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz
);
-- One at a time, so that nothing is moved while it is deleted.
create unique index tenant_operations_open_index on fleetprompt.tenant_operations (tenant)
  where status in ('waiting', 'running');
create index tenant_operations_due_index on fleetprompt.tenant_operations (due_at)
  where status in ('waiting', 'running');
create index tenant_operations_tenant_index on fleetprompt.tenant_operations (tenant, created_at);
select fleetprompt.raise_wall('fleetprompt.tenant_operations'::regclass);
revoke insert, delete on fleetprompt.tenant_operations from fleetprompt_tenant;

-- Places that moves left: the rows are kept there for a while, and nobody writes to them.
create table fleetprompt.kept_placements (
  operation_id uuid primary key references fleetprompt.tenant_operations,
  tenant text collate "C" not null,
  -- Where the rows are now: a schema of its own gets another name, so that nothing finds it by the old one.
  schema_name text not null,
  placement text not null check (placement in ('own', 'shared')),
  kept_until timestamptz not null,
  created_at timestamptz not null default now()
);
create index kept_placements_tenant_index on fleetprompt.kept_placements (tenant);
create index kept_placements_until_index on fleetprompt.kept_placements (kept_until);
select fleetprompt.raise_wall('fleetprompt.kept_placements'::regclass);
revoke insert, update, delete on fleetprompt.kept_placements from fleetprompt_tenant;
