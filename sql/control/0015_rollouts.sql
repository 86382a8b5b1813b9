-- The upgrade of a package in many tenants: first a few, then, as long as a health gate passes, the rest in waves. The
-- platform's own; a tenant may read its own rows.
create table fleetprompt.package_rollouts (
  id uuid primary key,
  package text collate "C" not null references fleetprompt.packages (slug),
  -- Which tenants get now. Another one after a fix.
  version text collate "C" not null,
  -- running, rolling_back: processes work on it; stopped: somebody decides how it goes on. The others are for good, but
  -- what was upgraded may be rolled back.
  status text not null default 'running'
    check (status in ('running', 'stopped', 'completed', 'cancelled', 'rolling_back', 'rolled_back')),
  -- Grows each time it goes on: who works on an earlier one stops.
  run integer not null default 1,
  -- 0: the canary.
  wave integer not null default 0,
  -- The last wave after which the gate passed.
  passed_wave integer not null default -1,
  -- Tenants that the canary takes besides those that were named.
  canary integer not null check (canary >= 0),
  wave_size integer not null check (wave_size > 0),
  concurrency integer not null check (concurrency > 0),
  -- Upgrades that may fail.
  max_failed integer not null check (max_failed >= 0),
  -- The name of a check, what it is given, and how long to wait before it.
  gate_check text collate "C" not null,
  gate_params jsonb not null,
  gate_wait_ms integer not null check (gate_wait_ms >= 0),
  -- What the gate said last.
  verdict jsonb,
  -- Why it was stopped, for people.
  stop_reason text,
  -- kind:id
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  ended_at timestamptz
);
-- One at a time works on a package.
create unique index package_rollouts_open_index on fleetprompt.package_rollouts (package)
  where status in ('running', 'rolling_back');
create index package_rollouts_created_index on fleetprompt.package_rollouts (created_at);

create table fleetprompt.package_rollout_tenants (
  rollout_id uuid not null references fleetprompt.package_rollouts (id),
  tenant text collate "C" not null,
  position integer not null,
  -- Null: not begun. 0: the canary.
  wave integer,
  -- unchanged: has it, or a later one; absent: does not have the package; kept: was changed since, so it is not rolled
  -- back.
  state text not null default 'pending' check (state in ('pending', 'upgrading', 'upgraded', 'unchanged', 'absent',
    'suspended', 'failed', 'restoring', 'restored', 'kept')),
  -- Grows each time it is tried anew: part of the key of its directive.
  round integer not null default 0,
  directive_id uuid,
  -- What the directive makes of it.
  target_version text,
  -- What it had before the first upgrade, the directive of that, and what the last one made.
  from_version text,
  first_directive_id uuid,
  upgraded_by uuid,
  upgraded_to text,
  upgraded_at timestamptz,
  -- Why it is as it is, for people.
  reason text,
  began_at timestamptz,
  ended_at timestamptz,
  primary key (rollout_id, tenant)
);
create index package_rollout_tenants_position_index on fleetprompt.package_rollout_tenants (rollout_id, position);
create index package_rollout_tenants_state_index on fleetprompt.package_rollout_tenants (rollout_id, state, position);
select fleetprompt.raise_wall('fleetprompt.package_rollout_tenants'::regclass);
revoke insert, update, delete on fleetprompt.package_rollout_tenants from fleetprompt_tenant;
