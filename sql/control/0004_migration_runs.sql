-- What became of each migration of a tenant's schema. One row is one schema brought to one version; the attempts at it
-- are those of its delivery. tenant '*' is the schema that small tenants share, which is migrated once for all of them.
create table fleetprompt.migration_runs (
  id uuid primary key default gen_random_uuid(),
  tenant text collate "C" not null,
  schema_name text not null,
  -- The release that asked for it.
  release text not null,
  from_version integer not null,
  to_version integer not null,
  -- provision: the schema is made or completed; upgrade: it was complete; shared: the one of many tenants.
  kind text not null check (kind in ('provision', 'upgrade', 'shared')),
  -- queued: to be begun, or to be tried again; failed: given up, the tenant is in quarantine; skipped: left at its version.
  status text not null default 'queued' check (status in ('queued', 'running', 'completed', 'failed', 'skipped')),
  attempt integer not null default 0,
  -- How often it was asked for: a schema that a backup turned back is migrated once more.
  requests integer not null default 1,
  -- The signal that asks for it, which is the first of its correlation; null until it is emitted.
  signal_id uuid,
  correlation_id text,
  -- Of the last attempt that failed. lock: a lock was not to be had; database: the server had trouble; statement: a
  -- migration's own statement failed; other.
  error_kind text check (error_kind in ('lock', 'database', 'statement', 'other')),
  error_message text,
  error_details jsonb,
  queued_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  unique (schema_name, to_version)
);
create index migration_runs_status_index on fleetprompt.migration_runs (status, queued_at);
create index migration_runs_tenant_index on fleetprompt.migration_runs (tenant, to_version);

alter table fleetprompt.tenants
  -- The last migration of the schema after which the statements of the release before do not work. Older processes
  -- leave such a tenant alone.
  add column breaking_version integer not null default 0,
  -- Since when its deliveries are held back because a migration failed, and which.
  add column quarantined_at timestamptz,
  add column quarantine_reason text;
create index tenants_behind_index on fleetprompt.tenants (schema_version);
create index tenants_quarantined_index on fleetprompt.tenants (quarantined_at) where quarantined_at is not null;

select fleetprompt.raise_wall('fleetprompt.migration_runs'::regclass);
