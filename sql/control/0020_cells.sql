-- Further databases of one fleet, its cells. Each has all tables of the platform; the first database is also the
-- directory, whose tenants say in which cell the others are.

alter table fleetprompt.tenants
  -- In which database of the fleet its rows are, when they are not in this one.
  add column cell text collate "C",
  drop constraint tenants_status_check,
  -- elsewhere: its rows are in another database; here nothing comes in and nothing is run.
  add constraint tenants_status_check check
    (status in ('provisioning', 'ready', 'suspended', 'moving', 'deleting', 'deleted', 'failed', 'elsewhere')),
  add constraint tenants_cell_check check ((status = 'elsewhere') = (cell is not null));

create or replace function fleetprompt.check_tenant_change() returns trigger
language plpgsql as $$
begin
  if new.slug <> old.slug then
    raise exception 'a tenant keeps its slug: % cannot become %', old.slug, new.slug using errcode = 'restrict_violation';
  end if;
  if new.status <> old.status and not (case old.status
      when 'provisioning' then new.status in ('ready', 'failed', 'deleting')
      when 'ready' then new.status in ('suspended', 'moving', 'deleting', 'failed')
      when 'suspended' then new.status in ('ready', 'moving', 'deleting', 'failed')
      when 'moving' then new.status in ('ready', 'suspended', 'failed', 'elsewhere')
      when 'deleting' then new.status in ('ready', 'suspended', 'failed', 'provisioning', 'deleted')
      when 'deleted' then new.status in ('provisioning', 'elsewhere')
      when 'failed' then new.status in ('ready', 'suspended', 'provisioning', 'deleting')
      when 'elsewhere' then new.status in ('ready', 'suspended')
      else false
    end) then
    raise exception 'a tenant that is % cannot become %', old.status, new.status using errcode = 'restrict_violation';
  end if;
  -- Only while it is moved, or made anew, do its rows get another place.
  if new.schema_name <> old.schema_name and old.status not in ('moving', 'deleted', 'elsewhere') then
    raise exception 'a tenant that is % cannot get another placement', old.status using errcode = 'restrict_violation';
  end if;
  new.changed_at := clock_timestamp();
  return new;
end
$$;

-- Tenants whose rows are being copied into this database, and how far that is. Each batch of rows is stored with it in
-- one commit, by whoever has shown the highest token: so a process that was replaced adds nothing any more.
create table fleetprompt.arrivals (
  tenant text collate "C" primary key,
  operation_id uuid not null,
  lease_token bigint not null,
  -- The order of the copied signals begins here: all of them are in the past of this database.
  order_tx xid8 not null,
  -- The table, and what of it is in: a place in the order, or a page.
  table_name text,
  place text,
  copied bigint not null default 0,
  created_at timestamptz not null default now()
);
select fleetprompt.raise_wall('fleetprompt.arrivals'::regclass);
revoke insert, update, delete on fleetprompt.arrivals from fleetprompt_tenant;

-- Audit entries that another database of the fleet passed on, so that one that is passed on twice is noted once.
create table fleetprompt.audit_received (
  tenant text collate "C" not null,
  id uuid not null,
  received_at timestamptz not null default now(),
  primary key (tenant, id)
);
create index audit_received_at_index on fleetprompt.audit_received (received_at);
select fleetprompt.raise_wall('fleetprompt.audit_received'::regclass);
revoke insert, update, delete on fleetprompt.audit_received from fleetprompt_tenant;
