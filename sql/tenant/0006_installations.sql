-- Packages that a tenant has installed, had installed, or could not install.
create table :schema.installations (
  id uuid not null,
  package text collate "C" not null,
  -- What is installed; null before the first time.
  version text collate "C",
  -- What it is to be, while something is under way.
  target_version text collate "C",
  status text not null default 'queued'
    check (status in ('queued', 'installing', 'active', 'paused', 'upgrading', 'uninstalling', 'uninstalled', 'failed')),
  config jsonb not null default '{}',
  config_checksum text not null,
  -- Ids of credentials by the names that the package gives them.
  credentials jsonb not null default '{}',
  -- Ranges of versions by the packages that it needs.
  dependencies jsonb not null default '{}',
  error jsonb,
  -- What was done last, or is under way.
  directive_id uuid not null,
  -- The installation that it was made for; null: somebody asked for it itself.
  installed_for uuid,
  -- The upgrade that may be rolled back.
  upgrade_id uuid,
  inserted_at timestamptz not null default now(),
  installed_at timestamptz,
  ended_at timestamptz,
  updated_at timestamptz not null default now(),
  tenant text collate "C" not null :tenant,
  primary key (:key id),
  check (status in ('queued', 'installing', 'failed') or version is not null),
  check ((status in ('failed', 'uninstalled')) = (ended_at is not null))
);
-- One that lives for each package.
create unique index installations_live_index on :schema.installations (:key package)
  where status not in ('failed', 'uninstalled');
create index installations_directive_index on :schema.installations (:key directive_id);
create trigger installations_check_change before update on :schema.installations
  for each row execute function fleetprompt.check_installation_change();
select fleetprompt.raise_wall(':schema.installations'::regclass);
revoke delete on :schema.installations from fleetprompt_tenant;

-- What an installation made in the tenant, and only that is changed by an upgrade and removed with it.
create table :schema.package_records (
  installation_id uuid not null,
  kind text not null check (kind in ('agent', 'workflow', 'skill', 'sensor', 'schedule')),
  name text collate "C" not null,
  package text collate "C" not null,
  -- Of the package, when the record was last written.
  version text collate "C" not null,
  data jsonb not null,
  -- Of the data.
  checksum text not null,
  -- The tenant's own: no upgrade touches it.
  state jsonb not null default '{}',
  inserted_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  tenant text collate "C" not null :tenant,
  primary key (:key installation_id, kind, name)
);
create index package_records_kind_index on :schema.package_records (:key kind, package, name);
select fleetprompt.raise_wall(':schema.package_records'::regclass);

-- What an installation was before and after a directive.
create table :schema.installation_snapshots (
  installation_id uuid not null,
  directive_id uuid not null,
  moment text not null check (moment in ('before', 'after')),
  rows jsonb not null,
  -- SHA-256 of the rows as RFC 8785 writes them.
  checksum text not null,
  -- The order in which they were taken.
  position bigint generated always as identity,
  taken_at timestamptz not null default now(),
  tenant text collate "C" not null :tenant,
  primary key (:key installation_id, directive_id, moment)
);
select fleetprompt.raise_wall(':schema.installation_snapshots'::regclass);

-- An installation that was not finished ends with the directive that was to make it, in the same commit.
create trigger directives_end_installation after update of status on :schema.directives
  for each row when (new.status in ('failed', 'cancelled')) execute function fleetprompt.end_installation();
