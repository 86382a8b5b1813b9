-- Secrets of a tenant for systems outside. `secret` is sealed under a key of its own, made for each version;
-- that key is sealed under a key of the ring. Both are bound to tenant, table, column, id and version.
create table :schema.credentials (
  id uuid not null,
  provider text collate "C" not null,
  account text collate "C" not null,
  kind text not null check (kind in ('api_key', 'oauth2', 'basic', 'certificate', 'webhook_secret', 'custom')),
  -- Expired is what an active one is after expires_at; nobody has to write it.
  status text not null default 'active' check (status in ('active', 'revoked', 'error')),
  scopes jsonb not null default '[]',
  expires_at timestamptz,
  -- Grows with each new secret.
  version integer not null default 1 check (version > 0),
  key_id text collate "C" not null,
  data_key bytea not null,
  secret bytea not null,
  -- Why the last refresh was refused. Never holds a secret.
  problem text,
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_used_at timestamptz,
  -- The process that refreshes it just now.
  refreshed_by text,
  refresh_leased_until timestamptz,
  tenant text collate "C" not null :tenant,
  primary key (:key id)
);
create unique index credentials_account_index on :schema.credentials (:key provider, account, kind)
  where status <> 'revoked';
create index credentials_key_id_index on :schema.credentials (:key key_id, id);

select fleetprompt.raise_wall(':schema.credentials'::regclass);
