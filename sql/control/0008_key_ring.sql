-- The keys that wrap what is secret in this database; never the keys themselves.
create table fleetprompt.ring_keys (
  id text collate "C" primary key,
  -- Tells two keys of one id apart: made from the key, of no use for finding it. Null: of a key service.
  fingerprint text,
  first_seen_at timestamptz not null default now(),
  -- Since when nothing may be wrapped by it any more.
  retired_at timestamptz
);

-- The secret that the keys of single purposes are derived from. It stays when the ring's keys change, so that
-- a rotation ends no session and no API key.
create table fleetprompt.key_roots (
  id smallint primary key default 1 check (id = 1),
  key_id text collate "C" not null references fleetprompt.ring_keys (id),
  wrapped bytea not null,
  created_at timestamptz not null default now(),
  wrapped_at timestamptz not null default now()
);

-- Rotations, for people who look. How far one is, the records themselves say: each names its key.
create table fleetprompt.key_rotations (
  id uuid primary key,
  key_id text collate "C" not null references fleetprompt.ring_keys (id),
  status text not null default 'running' check (status in ('running', 'completed', 'failed')),
  rewrapped bigint not null default 0,
  unreadable bigint not null default 0,
  started_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz
);
create index key_rotations_started_at_index on fleetprompt.key_rotations (started_at);
