-- Callers that are no people: service accounts, and the API keys of accounts and users.

create table fleetprompt.service_accounts (
  tenant text collate "C" not null,
  id uuid not null,
  name text not null,
  role text not null check (role in ('owner', 'admin', 'member')),
  -- The keys of an account that is disabled do not work; they are there again when it is enabled.
  enabled boolean not null default true,
  created_by text,
  created_at timestamptz not null default now(),
  primary key (tenant, id),
  unique (tenant, name)
);

create table fleetprompt.api_keys (
  -- Stands in the key's own text, and is made by chance. The tenant is found by it.
  id text collate "C" primary key,
  tenant text collate "C" not null,
  name text not null,
  -- HMAC-SHA-256 of the key's text with the pepper of that id. The text is kept nowhere.
  hash text not null,
  pepper text not null,
  -- The most that the key may; its owner's role counts where that is less.
  role text not null check (role in ('owner', 'admin', 'member')),
  -- What the key is limited to; null: whatever the role may.
  scopes text[],
  -- user, service_account: works as long as its owner may; host: a person of the host application, who looks after it.
  owner_kind text not null check (owner_kind in ('user', 'service_account', 'host')),
  owner_id text not null,
  -- The first key of those that replaced one another; two of them work at the same time at most.
  family text collate "C" not null,
  -- The key that took its place; until expires_at both work.
  replaced_by text collate "C",
  created_by text,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  -- Written in batches, at most once a minute for each key.
  last_used_at timestamptz,
  last_used_from text,
  check (owner_kind = 'host' or owner_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')
);
create index api_keys_tenant_index on fleetprompt.api_keys (tenant, created_at);
create index api_keys_owner_index on fleetprompt.api_keys (tenant, owner_kind, owner_id);

-- Which tenants' callers changed, and when: each process reads the tenants with a changed_tx that its last look
-- cannot have seen, and forgets what it remembers of their keys.
create table fleetprompt.access_changes (
  tenant text collate "C" primary key,
  version bigint not null default 1,
  changed_tx xid8 not null default pg_current_xact_id()
);
create index access_changes_index on fleetprompt.access_changes (changed_tx);

-- For each table that decides what a key may: its rows of a tenant changed.
create function fleetprompt.note_access_change() returns trigger
language plpgsql as $$
begin
  insert into fleetprompt.access_changes as change (tenant)
  values (case when tg_op = 'DELETE' then old.tenant else new.tenant end)
  on conflict (tenant) do update set version = change.version + 1, changed_tx = pg_current_xact_id();
  return null;
end
$$;

create trigger note_access_change after update of role, enabled or delete on fleetprompt.service_accounts
  for each row execute function fleetprompt.note_access_change();
create trigger note_access_change after update of role, scopes, expires_at, revoked_at or delete on fleetprompt.api_keys
  for each row execute function fleetprompt.note_access_change();
create trigger note_access_change after insert or update of role or delete on fleetprompt.memberships
  for each row execute function fleetprompt.note_access_change();

-- A person is in several tenants.
create function fleetprompt.note_user_change() returns trigger
language plpgsql as $$
begin
  insert into fleetprompt.access_changes as change (tenant)
  select tenant from fleetprompt.memberships where user_id = new.id order by tenant
  on conflict (tenant) do update set version = change.version + 1, changed_tx = pg_current_xact_id();
  return null;
end
$$;
create trigger note_user_change after update of status on fleetprompt.users
  for each row execute function fleetprompt.note_user_change();

select fleetprompt.raise_wall('fleetprompt.service_accounts'::regclass);
select fleetprompt.raise_wall('fleetprompt.api_keys'::regclass);
select fleetprompt.raise_wall('fleetprompt.access_changes'::regclass);
