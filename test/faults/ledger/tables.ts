/**
 * The ledger's tables, made for each scenario in a database of its own. It stands outside of the product: nothing
 * here is read or written by the engine, and no fault touches its server.
 */
export const LEDGER_TABLES = `
-- One row for each signal that somebody asked to be stored. pending: not answered (yet); unknown: the answer got
-- lost or said that the database was away; failed: refused for good.
create table calls (
  call_id text primary key,
  tenant text not null,
  type text not null,
  key text,
  -- SHA-256 of type, subject and data as canonical JSON.
  hash text not null,
  outcome text not null default 'pending' check (outcome in ('pending', 'ok', 'unknown', 'failed')),
  signal_id text,
  inserted boolean,
  error text,
  tries integer not null default 0,
  begun_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
create index on calls (tenant, hash);

-- Each time a handler was called, and how that ended. Null outcome: it never did, since its process went away.
create table invocations (
  id uuid primary key,
  tenant text not null,
  signal_id text not null,
  handler text not null,
  delivery_id text not null,
  replay_id text,
  -- Null for all but the first of a batch: the product tells only that one's.
  attempt integer,
  worker text not null,
  pid integer not null,
  begun_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  -- returned, snoozed, cancelled, threw; stopped: it was told that the worker stops or lost the delivery.
  outcome text,
  error text
);
create index on invocations (signal_id, handler);

-- What handlers did outside, keyed as the product tells them to: by the delivery's id (and the replay).
create table effects (
  delivery_id text not null,
  replay_id text not null default '',
  tenant text not null,
  signal_id text not null,
  handler text not null,
  -- How often it was asked for; it is applied the first time.
  tries integer not null default 1,
  worker text not null,
  applied_at timestamptz not null default clock_timestamp(),
  primary key (delivery_id, replay_id)
);
create index on effects (signal_id, handler);

-- Those who follow a tenant's signals, and what each saw in order.
create table subscribers (name text primary key, tenant text not null, pattern text, cursor text);
create table seen (
  subscriber text not null,
  n bigint generated always as identity,
  signal_id text not null,
  cursor text not null,
  seen_at timestamptz not null default clock_timestamp()
);
create index on seen (subscriber, n);

-- Terminal states as they once were.
create table terminals (
  tenant text not null, signal_id text not null, handler text not null, attempt integer not null, outcome text not null,
  primary key (tenant, signal_id, handler, attempt, outcome)
);

-- Responses, log lines, metrics, errors that a tenant's users or operators got to see.
create table outputs (id bigint generated always as identity, tenant text not null, what text not null, text text not null);
`
