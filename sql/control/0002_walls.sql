-- The walls around tenants' rows: two roles, row-level security, and what each role may do.
--   fleetprompt_tenant: the rows of the tenants that the transaction names in fleetprompt.tenants, no others.
--   fleetprompt_engine: the platform's own tables; of tenants' tables it only fills some, and reads no contents.
-- Nobody signs in as one of them: a session takes a role, mostly for one transaction.
-- Roles belong to the cluster, so other databases of it may have made them already.

-- Whether a login may take a role. From Postgres 16 on a membership may be without that.
create function fleetprompt.may_take(login name, role name) returns boolean
language plpgsql stable as $$
begin
  if current_setting('server_version_num')::integer >= 160000 then return pg_has_role(login, role, 'SET'); end if;
  return pg_has_role(login, role, 'MEMBER');
end
$$;

do $$
declare
  role name;
begin
  foreach role in array array['fleetprompt_tenant', 'fleetprompt_engine']::name[] loop
    begin
      if not exists (select from pg_roles where rolname = role) then execute format('create role %I nologin', role); end if;
    exception
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise exception 'the login % may not make the role %', current_user, role using
          errcode = 'insufficient_privilege',
          hint = format('Run as a superuser: create role %I nologin; grant %I to %I with admin option;', role, role, current_user);
    end;
    begin
      if not fleetprompt.may_take(current_user, role) then execute format('grant %I to %I', role, current_user); end if;
    exception
      when insufficient_privilege then
        raise exception 'the login % may not take the role %', current_user, role using
          errcode = 'insufficient_privilege', hint = format('Run as a superuser: grant %I to %I;', role, current_user);
    end;
  end loop;
end
$$;

grant usage on schema fleetprompt to fleetprompt_tenant, fleetprompt_engine;
grant select, insert, update, delete on all tables in schema fleetprompt to fleetprompt_engine;
revoke insert, update, delete on fleetprompt.migrations from fleetprompt_engine;
-- What later migrations make here is the engine's to use as well.
alter default privileges in schema fleetprompt grant select, insert, update, delete on tables to fleetprompt_engine;

-- The policies of one table. `key` is the column that says whose a row is. The list of tenants is read once in a
-- statement, not once in a row. It is asked for in a form that the planner takes for true of nearly every row: our
-- statements name the tenant themselves, and with "tenant = any (...)" beside that it expects far too few rows, and
-- puts a list into each step along an index. Rows of all tenants are open to the table's owner while it says so, for migrations.
create function fleetprompt.build_wall(target regclass, key name) returns void
language plpgsql as $$
declare
  owner name := (select pg_get_userbyid(relowner) from pg_class where oid = target);
  is_control boolean := (select relnamespace = 'fleetprompt'::regnamespace from pg_class where oid = target);
  own_rows text := format(
    'array_position((select string_to_array(current_setting(''fleetprompt.tenants'', true), '','')), %I) is not null', key);
  is_owner text := '(select current_setting(''fleetprompt.owner'', true)) = ''on''';
  policy name;
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  foreach policy in array array['tenant_rows', 'owner_rows', 'engine_rows']::name[] loop
    execute format('drop policy if exists %I on %s', policy, target);
  end loop;
  execute format('create policy tenant_rows on %s to fleetprompt_tenant using (%s) with check (%s)', target, own_rows, own_rows);
  execute format('create policy owner_rows on %s to %I using (%s) with check (%s)', target, owner, is_owner, is_owner);
  if is_control then
    execute format('create policy engine_rows on %s to fleetprompt_engine using (true) with check (true)', target);
  end if;
end
$$;

-- The wall around a table with rows of tenants; every migration that makes such a table calls it. The tenant's role
-- may read and change its own rows. The engine's role may do so with all rows of a table of the schema fleetprompt,
-- and nothing with a table in a schema of tenants. May be called again.
create function fleetprompt.raise_wall(target regclass) returns void
language plpgsql as $$
begin
  perform fleetprompt.build_wall(target, 'tenant');
  execute format('grant select, insert, update, delete on %s to fleetprompt_tenant', target);
end
$$;

-- The wall around a table whose rows are for good: both roles may read and add, nobody may change or remove.
create function fleetprompt.raise_append_only_wall(target regclass) returns void
language plpgsql as $$
begin
  execute format('revoke all on %s from fleetprompt_tenant, fleetprompt_engine', target);
  if (select relnamespace = 'fleetprompt'::regnamespace from pg_class where oid = target) then
    execute format('grant select, insert on %s to fleetprompt_engine', target);
  end if;
  if not exists (select from pg_attribute where attrelid = target and attname = 'tenant') then return; end if;
  perform fleetprompt.build_wall(target, 'tenant');
  execute format('grant select, insert on %s to fleetprompt_tenant', target);
end
$$;

-- The engine stores for several tenants in one statement: it may add rows to a table in a schema of tenants.
create function fleetprompt.let_engine_insert(target regclass) returns void
language plpgsql as $$
begin
  execute format('drop policy if exists engine_inserts on %s', target);
  execute format('create policy engine_inserts on %s for insert to fleetprompt_engine with check (true)', target);
  execute format('grant insert on %s to fleetprompt_engine', target);
end
$$;

-- Postgres asks for the right to read what a statement answers or compares. The engine has it for the columns that
-- its statements need, never for contents.
create function fleetprompt.let_engine_read(target regclass, columns name[]) returns void
language plpgsql as $$
begin
  execute format('drop policy if exists engine_reads on %s', target);
  execute format('create policy engine_reads on %s for select to fleetprompt_engine using (true)', target);
  execute format('grant select (%s) on %s to fleetprompt_engine', (select string_agg(quote_ident(each), ', ') from unnest(columns) as each), target);
end
$$;

select fleetprompt.build_wall('fleetprompt.tenants', 'slug');
grant select on fleetprompt.tenants to fleetprompt_tenant;
select fleetprompt.raise_wall('fleetprompt.deliveries');
select fleetprompt.raise_wall('fleetprompt.slots');
select fleetprompt.raise_wall('fleetprompt.rate_spends');
select fleetprompt.raise_wall('fleetprompt.pauses');
select fleetprompt.raise_wall('fleetprompt.replays');
