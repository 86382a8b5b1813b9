-- Sign-in of the standalone server, in a schema of its own. The first five tables are better-auth's, with its names
-- (version 1.7); it holds who signs in by what. Who somebody is in which organisation stands in fleetprompt.
create schema fleetprompt_auth;

create table fleetprompt_auth."user" (
  id text collate "C" primary key,
  name text not null,
  email text collate "C" not null unique,
  "emailVerified" boolean not null default false,
  image text,
  "createdAt" timestamptz not null default now(),
  "updatedAt" timestamptz not null default now()
);

-- The cookie holds token and its signature, so a token alone opens nothing. expiresAt is when the session ends at the
-- latest; ours: it ends earlier when nobody used it for a while.
create table fleetprompt_auth.session (
  id text collate "C" primary key,
  "userId" text collate "C" not null references fleetprompt_auth."user" (id) on delete cascade,
  token text collate "C" not null unique,
  "expiresAt" timestamptz not null,
  "createdAt" timestamptz not null default now(),
  "updatedAt" timestamptz not null default now(),
  "ipAddress" text,
  "userAgent" text,
  last_used_at timestamptz not null default now()
);
create index session_user_index on fleetprompt_auth.session ("userId");
create index session_expires_index on fleetprompt_auth.session ("expiresAt");

-- One way in: a password (providerId is credential), or a subject at an identity provider. Tokens of providers are
-- not kept: their columns stay empty.
create table fleetprompt_auth.account (
  id text collate "C" primary key,
  "userId" text collate "C" not null references fleetprompt_auth."user" (id) on delete cascade,
  "providerId" text collate "C" not null,
  "accountId" text collate "C" not null,
  password text,
  "accessToken" text,
  "refreshToken" text,
  "idToken" text,
  "accessTokenExpiresAt" timestamptz,
  "refreshTokenExpiresAt" timestamptz,
  scope text,
  "createdAt" timestamptz not null default now(),
  "updatedAt" timestamptz not null default now(),
  unique ("providerId", "accountId"),
  check ("accessToken" is null and "refreshToken" is null and "idToken" is null)
);
create index account_user_index on fleetprompt_auth.account ("userId");

-- What waits to be shown again: password resets, sign-ins under way at a provider, assertions that were used. The
-- identifier is a hash.
create table fleetprompt_auth.verification (
  id text collate "C" primary key,
  identifier text collate "C" not null,
  value text not null,
  "expiresAt" timestamptz not null,
  "createdAt" timestamptz not null default now(),
  "updatedAt" timestamptz not null default now()
);
create index verification_identifier_index on fleetprompt_auth.verification (identifier);
create index verification_expires_index on fleetprompt_auth.verification ("expiresAt");

-- Stays empty: providers are set by configuration.
create table fleetprompt_auth."ssoProvider" (
  id text collate "C" primary key,
  issuer text not null,
  "oidcConfig" text,
  "samlConfig" text,
  "userId" text collate "C" references fleetprompt_auth."user" (id) on delete cascade,
  "providerId" text collate "C" not null unique,
  "organizationId" text,
  domain text not null
);

-- Links that are good once: the first owner's, and those of people who sign up by themselves. Only a hash is kept.
create table fleetprompt_auth.links (
  token_hash bytea primary key,
  kind text not null check (kind in ('first_owner', 'sign_up')),
  email text collate "C",
  expires_at timestamptz not null,
  used_at timestamptz
);
create index links_expires_index on fleetprompt_auth.links (expires_at);

-- None of these rows is a tenant's. The platform's own role works on them, the tenants' role cannot see the schema.
grant usage on schema fleetprompt_auth to fleetprompt_engine;
grant select, insert, update, delete on all tables in schema fleetprompt_auth to fleetprompt_engine;
