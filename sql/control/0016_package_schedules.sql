-- What the packages that tenants have installed and enabled do by the clock: made from their records whenever these or
-- the installation's state change, in the same commit. What is not enabled has no row.
create table fleetprompt.package_schedules (
  tenant text collate "C" not null,
  package text collate "C" not null,
  -- sensor: at each slot its handler is asked for.
  kind text not null check (kind in ('schedule', 'sensor')),
  name text collate "C" not null,
  installation_id uuid not null,
  cron text collate "C" not null,
  time_zone text collate "C" not null,
  -- The signal of each slot.
  type text not null,
  data jsonb not null,
  -- Slots before are not made up for.
  enabled_at timestamptz not null default now(),
  -- Processes ask for what changed.
  changed_tx xid8 not null default pg_current_xact_id(),
  primary key (tenant, package, kind, name)
);
create index package_schedules_slot_index on fleetprompt.package_schedules (package, kind, name, cron, time_zone, tenant);
create index package_schedules_changed_index on fleetprompt.package_schedules (changed_tx);
create index package_schedules_installation_index on fleetprompt.package_schedules (tenant, installation_id);
select fleetprompt.raise_wall('fleetprompt.package_schedules'::regclass);
