-- What was ordered, by whom, and what came of it.
create table :schema.directives (
  id uuid not null,
  type text collate "C" not null,
  status text not null default 'requested' check (status in ('requested', 'running', 'completed', 'failed', 'cancelled')),
  params jsonb not null,
  -- SHA-256 of the params as RFC 8785 writes them, hex.
  params_checksum text not null,
  result jsonb,
  error_kind text,
  error_message text,
  error_details jsonb not null default '{}',
  requested_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  -- Not before; not after.
  run_at timestamptz,
  expires_at timestamptz,
  -- Who requested it, as they were then.
  actor_kind text not null,
  actor_id text not null,
  actor_user_id uuid,
  actor_role text,
  actor_key text,
  -- The person behind a key: its owner, or who made it for a service account.
  actor_person text,
  reason text,
  correlation_id text not null,
  causation_id uuid,
  idempotency_key text,
  rerun_of uuid,
  plan jsonb,
  -- Who may read its signals.
  visibility text not null default 'internal' check (visibility in ('internal', 'admin_only')),
  -- Null: none is needed.
  approval text check (approval in ('waiting', 'approved', 'rejected')),
  decided_kind text,
  decided_id text,
  decided_role text,
  decided_at timestamptz,
  decision_reason text,
  cancel_requested boolean not null default false,
  cancel_reason text,
  -- How it will end once what was done is undone. Attempts from then on only undo.
  ending text check (ending in ('failed', 'cancelled')),
  -- Attempts that failed, and the number of the attempt that began last.
  failures integer not null default 0,
  attempt integer not null default 0,
  -- Grows with each attempt; who shows an old one writes nothing.
  run_token bigint not null default 0,
  progress jsonb,
  -- Ids of the signals of its stages, in order.
  trail uuid[] not null default '{}',
  requested_signal_id uuid,
  started_signal_id uuid,
  inserted_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  tenant text collate "C" not null :tenant,
  primary key (:key id),
  check ((status in ('completed', 'failed', 'cancelled')) = (completed_at is not null)),
  check (status in ('requested', 'cancelled') or started_at is not null),
  check (status <> 'failed' or error_kind is not null)
);
create index directives_type_index on :schema.directives (:key type, id);
create index directives_status_index on :schema.directives (:key status, id);
create index directives_actor_index on :schema.directives (:key actor_id, id);
create unique index directives_idempotency_key_index on :schema.directives (:key idempotency_key)
  where idempotency_key is not null;
create trigger directives_check_change before update on :schema.directives
  for each row execute function fleetprompt.check_directive_change();
select fleetprompt.raise_wall(':schema.directives'::regclass);
revoke delete on :schema.directives from fleetprompt_tenant;

-- Steps of a directive's run that have ended. They are not run again.
create table :schema.directive_steps (
  directive_id uuid not null,
  name text collate "C" not null,
  -- The order in which they ended; they are undone from the last to the first.
  position bigint generated always as identity,
  result jsonb,
  attempt integer not null,
  finished_at timestamptz not null default now(),
  undone_at timestamptz,
  -- Why it could not be undone.
  undo_error text,
  tenant text collate "C" not null :tenant,
  primary key (:key directive_id, name)
);
select fleetprompt.raise_wall(':schema.directive_steps'::regclass);
revoke delete on :schema.directive_steps from fleetprompt_tenant;
