/**
 * Where rows of the product are copied to, beside the ledger's own tables, so that the ledger's server can compare
 * them. It is made anew for each check. A delivery is named by signal, handler, tenant and replay; no replay is ''.
 */
export const COPY_TABLES = `
drop schema if exists evidence cascade;
create schema evidence;
create unlogged table evidence.tenants (slug text primary key);
create unlogged table evidence.handlers (name text primary key, attempts integer not null);
create unlogged table evidence.signals (
  tenant text, id text, type text, source text, hash text, dedupe_key text, causation_id text,
  -- Names of those whose pattern and condition fit.
  handlers text[],
  -- The order of the commits.
  tx_id xid8, position bigint
);
create unlogged table evidence.attempts (
  tenant text, signal_id text, handler text, replay_id text, attempt integer, outcome text, worker text,
  finished_at timestamptz,
  -- Cancelled since a later one of its key ran instead: no attempt's own end, it only carries the number of the last.
  superseded boolean
);
create unlogged table evidence.queue (
  tenant text, signal_id text, handler text, replay_id text,
  -- By the product's clock: what ended later was open then.
  read_at timestamptz
);
create unlogged table evidence.letters (tenant text, signal_id text, handler text, replay_id text);

create function evidence.what(signal_id text, handler text, replay_id text, tenant text) returns text
language sql immutable as $$ select concat_ws(' ', signal_id, handler, nullif(replay_id, ''), 'of', tenant) $$;

create view evidence.calls as select * from calls where tenant in (select slug from evidence.tenants);
create view evidence.invocations as
  select tenant, signal_id, handler, coalesce(replay_id, '') as replay_id, attempt, worker, begun_at, outcome
  from invocations where tenant in (select slug from evidence.tenants);
create view evidence.effects as select * from effects where tenant in (select slug from evidence.tenants);
-- A redrive may have begun the attempts of what has died anew, so that some invariants do not judge it.
create view evidence.died as
  select distinct tenant, signal_id, handler, replay_id from evidence.attempts where outcome = 'dead';
create view evidence.wanted as
  select tenant, id as signal_id, unnest(handlers) as handler from evidence.signals;
`

/** The columns that name a delivery, for joins, groups and lists. */
export const DELIVERY = "tenant, signal_id, handler, replay_id"
