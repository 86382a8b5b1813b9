-- What tenants' packages have the platform run: each row is one of the platform's templates, bound to signals of a tenant.
-- Processes hold them in memory, and ask for what has changed.
create table fleetprompt.bindings (
  tenant text collate "C" not null,
  -- The name that its deliveries carry: <slug of the package>.<name in the manifest>.
  handler text collate "C" not null check (length(handler) <= 165 and handler ~ '^[\w-]+(\.[\w-]+)+$'),
  installation_id uuid not null,
  package text collate "C" not null,
  version text collate "C" not null,
  -- The template's name. A process of another release may have none of that name.
  template text collate "C" not null,
  pattern text not null,
  -- Null: all signals that fit the pattern.
  condition jsonb,
  -- What the template is given; placeholders are filled in.
  params jsonb not null default '{}',
  config jsonb not null default '{}',
  -- Ids of credentials by the names that the package gives them.
  credentials jsonb not null default '{}',
  -- One that is not makes no deliveries, and those that there are wait.
  is_enabled boolean not null default true,
  created_at timestamptz not null default now(),
  primary key (tenant, handler)
);
create index bindings_installation_index on fleetprompt.bindings (tenant, installation_id);
select fleetprompt.raise_wall('fleetprompt.bindings'::regclass);

-- The last change of each binding, and of those that were removed. A number from a sequence would not do as a place to
-- read on from: it is drawn before the commit, so a lower one may become visible after a higher one, behind a reader who
-- has passed. The transaction does: each reader asks for those that its last look cannot have seen.
create table fleetprompt.binding_changes (
  tenant text collate "C" not null,
  handler text collate "C" not null,
  changed_tx xid8 not null default pg_current_xact_id(),
  changed_at timestamptz not null default now(),
  primary key (tenant, handler)
);
create index binding_changes_index on fleetprompt.binding_changes (changed_tx, tenant, handler);
create index binding_changes_at_index on fleetprompt.binding_changes (changed_at);
select fleetprompt.raise_wall('fleetprompt.binding_changes'::regclass);
revoke delete on fleetprompt.binding_changes from fleetprompt_tenant;

create function fleetprompt.note_binding_change() returns trigger
language plpgsql as $$
begin
  insert into fleetprompt.binding_changes as change (tenant, handler)
  values (case when tg_op = 'DELETE' then old.tenant else new.tenant end,
    case when tg_op = 'DELETE' then old.handler else new.handler end)
  on conflict (tenant, handler) do update set changed_tx = pg_current_xact_id(), changed_at = now();
  return null;
end
$$;
create trigger note_binding_change after insert or update or delete on fleetprompt.bindings
  for each row execute function fleetprompt.note_binding_change();
