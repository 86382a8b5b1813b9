-- The catalogue of packages: the platform's own, the same for all tenants. A tenant's own rows here are its reviews and
-- what it has installed.

create table fleetprompt.packages (
  slug text collate "C" primary key,
  -- Of its highest version that is no prerelease and was not yanked; of the highest of all where there is none.
  latest_version text not null,
  name text not null,
  description text not null,
  category text collate "C" not null,
  publisher text collate "C" not null,
  keywords text[] not null default '{}',
  -- Name, keywords and slug before category and publisher, those before the description.
  search tsvector not null,
  -- Installations so far: a tenant counts once for each version.
  installs bigint not null default 0,
  -- Tenants that ever installed it.
  tenants bigint not null default 0,
  created_at timestamptz not null default now(),
  published_at timestamptz not null default now()
);
create index packages_search_index on fleetprompt.packages using gin (search);
create index packages_category_index on fleetprompt.packages (category);
create index packages_publisher_index on fleetprompt.packages (publisher);

create table fleetprompt.package_versions (
  slug text collate "C" not null references fleetprompt.packages (slug),
  version text collate "C" not null,
  manifest jsonb not null,
  -- Of the manifest: sha256:<hex>.
  checksum text not null,
  -- deprecated: chosen only when nothing else fits; yanked: chosen no more, kept by those who have it.
  status text not null default 'published' check (status in ('published', 'deprecated', 'yanked')),
  -- Why, for people.
  status_reason text,
  -- kind:id
  published_by text not null,
  published_at timestamptz not null default now(),
  installs bigint not null default 0,
  primary key (slug, version)
);
-- Who needs a package.
create index package_versions_dependencies_index on fleetprompt.package_versions using gin ((manifest -> 'dependencies'));

-- What was published is for good: a version that somebody has installed is the same for whoever installs it next.
create function fleetprompt.keep_package_version() returns trigger
language plpgsql as $$
begin
  if tg_op = 'UPDATE' and (new.slug, new.version, new.manifest, new.checksum, new.published_by, new.published_at)
    is not distinct from (old.slug, old.version, old.manifest, old.checksum, old.published_by, old.published_at) then
    return new;
  end if;
  raise exception 'version % of package % was published: it does not change', old.version, old.slug
    using errcode = 'restrict_violation', hint = 'Publish another version, and deprecate or yank this one.';
end
$$;
create trigger keep_package_version before update or delete on fleetprompt.package_versions
  for each row execute function fleetprompt.keep_package_version();
create function fleetprompt.keep_package_versions() returns trigger
language plpgsql as $$
begin
  raise exception 'what was published does not change' using errcode = 'restrict_violation';
end
$$;
create trigger keep_package_versions before truncate on fleetprompt.package_versions
  for each statement execute function fleetprompt.keep_package_versions();

-- The catalogue is every tenant's to read, and nobody's to change but the platform's.
grant select on fleetprompt.packages, fleetprompt.package_versions to fleetprompt_tenant;

-- One of each tenant for each package.
create table fleetprompt.package_reviews (
  tenant text collate "C" not null,
  -- By which readers know it: whose it is stays between the tenant and the platform.
  id uuid not null unique,
  slug text collate "C" not null references fleetprompt.packages (slug),
  rating smallint not null check (rating between 1 and 5),
  text text not null check (length(text) <= 4000),
  -- kind:id
  created_by text not null,
  created_at timestamptz not null default now(),
  -- Null: as it was first.
  edited_at timestamptz,
  primary key (tenant, slug)
);
create index package_reviews_slug_index on fleetprompt.package_reviews (slug, created_at);
select fleetprompt.raise_wall('fleetprompt.package_reviews'::regclass);

-- Which versions a tenant ever installed, for the counts.
create table fleetprompt.package_installs (
  tenant text collate "C" not null,
  slug text collate "C" not null,
  version text collate "C" not null,
  first_at timestamptz not null default now(),
  primary key (tenant, slug, version),
  foreign key (slug, version) references fleetprompt.package_versions (slug, version)
);
create index package_installs_version_index on fleetprompt.package_installs (slug, version);
select fleetprompt.raise_wall('fleetprompt.package_installs'::regclass);
-- The platform counts, since the counts are of all tenants.
revoke insert, update, delete on fleetprompt.package_installs from fleetprompt_tenant;
