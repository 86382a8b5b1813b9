-- Who the people are, and what they are in which organisation. An organisation has one tenant, and its slug.

-- A person. Belongs to no tenant: the same person may be in several organisations.
create table fleetprompt.users (
  id uuid primary key,
  -- In small letters, so that one address is one person.
  email text collate "C" not null unique check (email = lower(email) and length(email) between 3 and 254),
  name text not null check (length(name) between 1 and 200),
  -- disabled: is nobody, anywhere, until enabled.
  status text not null default 'active' check (status in ('active', 'disabled')),
  -- One of the platform's own people.
  is_operator boolean not null default false,
  -- The organisation that they chose last. Only a wish: whether they are in it is looked up each time.
  chosen_tenant text collate "C",
  created_at timestamptz not null default now()
);

-- By what a person is known at a sign-in: a provider, and what it calls the person.
create table fleetprompt.identities (
  provider text collate "C" not null,
  subject text collate "C" not null,
  user_id uuid not null references fleetprompt.users (id) on delete cascade,
  linked_at timestamptz not null default now(),
  primary key (provider, subject)
);
create index identities_user_index on fleetprompt.identities (user_id);

create table fleetprompt.organisations (
  tenant text collate "C" primary key,
  name text not null check (length(name) between 1 and 200),
  created_at timestamptz not null default now()
);

create table fleetprompt.memberships (
  tenant text collate "C" not null references fleetprompt.organisations (tenant) on delete cascade,
  user_id uuid not null references fleetprompt.users (id),
  role text not null check (role in ('owner', 'admin', 'member')),
  joined_at timestamptz not null default now(),
  primary key (tenant, user_id)
);
create index memberships_user_index on fleetprompt.memberships (user_id);

-- Somebody is asked to join. One invitation of an address is open at a time.
create table fleetprompt.invitations (
  tenant text collate "C" not null references fleetprompt.organisations (tenant) on delete cascade,
  id uuid not null,
  email text collate "C" not null check (email = lower(email)),
  role text not null check (role in ('owner', 'admin', 'member')),
  -- SHA-256 of the token's secret, in hex; the token itself is kept nowhere.
  token_hash text not null,
  -- Who asked, kind:id.
  invited_by text not null,
  -- How often a token was made for it.
  sends integer not null default 1,
  -- How long each token may be used, milliseconds.
  lives_ms bigint not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  accepted_by uuid references fleetprompt.users (id) on delete set null,
  revoked_at timestamptz,
  primary key (tenant, id)
);
create unique index invitations_open_index on fleetprompt.invitations (tenant, email)
  where accepted_at is null and revoked_at is null;
create index invitations_order_index on fleetprompt.invitations (tenant, created_at, id);
create index invitations_accepted_by_index on fleetprompt.invitations (accepted_by) where accepted_by is not null;

select fleetprompt.raise_wall('fleetprompt.organisations'::regclass);
select fleetprompt.raise_wall('fleetprompt.memberships'::regclass);
select fleetprompt.raise_wall('fleetprompt.invitations'::regclass);

-- A tenant sees of the people only its own members, and of them what a list of members shows: whether somebody is
-- elsewhere too, and who else there is, it cannot see. The memberships that the policy looks at are walled themselves.
alter table fleetprompt.users enable row level security;
alter table fleetprompt.users force row level security;
create policy member_rows on fleetprompt.users for select to fleetprompt_tenant
  using (exists (select from fleetprompt.memberships as membership where membership.user_id = users.id));
create policy engine_rows on fleetprompt.users to fleetprompt_engine using (true) with check (true);
create policy owner_rows on fleetprompt.users to current_user
  using ((select current_setting('fleetprompt.owner', true)) = 'on')
  with check ((select current_setting('fleetprompt.owner', true)) = 'on');
grant select (id, email, name, status) on fleetprompt.users to fleetprompt_tenant;

-- An organisation always has an owner who can act. Whoever takes an owner away waits here for whoever else does, so
-- that two owners cannot leave at the same moment. Whoever removes the organisation removes all, and the tables' owner,
-- who removes whole tenants in batches, is not asked.
create function fleetprompt.keep_an_owner() returns trigger
language plpgsql as $$
begin
  if current_setting('fleetprompt.owner', true) = 'on'
    and current_user = (select pg_get_userbyid(relowner) from pg_class where oid = tg_relid) then
    return null;
  end if;
  perform from fleetprompt.organisations where tenant = old.tenant for update;
  if not found or exists (
    select from fleetprompt.memberships as membership
    join fleetprompt.users as person on person.id = membership.user_id
    where membership.tenant = old.tenant and membership.role = 'owner' and person.status = 'active'
  ) then
    return null;
  end if;
  raise exception 'the organisation % would be left without an owner', old.tenant
    using errcode = 'restrict_violation', hint = 'Make somebody else an owner first.';
end
$$;
create trigger memberships_keep_an_owner after update or delete on fleetprompt.memberships
  for each row when (old.role = 'owner') execute function fleetprompt.keep_an_owner();

-- What the fleet takes away from the policies while it runs, for all its processes: roles by permission. One row.
create table fleetprompt.restrictions (
  one boolean primary key default true check (one),
  roles json not null,
  changed_at timestamptz not null default now()
);
