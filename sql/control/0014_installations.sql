-- What may become of an installation, whoever writes. What has failed or was uninstalled is for good.
create function fleetprompt.check_installation_change() returns trigger
language plpgsql as $$
begin
  if old.status in ('failed', 'uninstalled') then
    raise exception 'installation % is %: it does not change', old.id, old.status
      using errcode = 'restrict_violation', hint = 'Install the package again.';
  end if;
  if (new.tenant, new.id, new.package, new.inserted_at) is distinct from (old.tenant, old.id, old.package, old.inserted_at) then
    raise exception 'what installation % is of does not change', old.id using errcode = 'restrict_violation';
  end if;
  if new.status <> old.status
    and (old.status, new.status) not in (('queued', 'installing'), ('queued', 'failed'), ('installing', 'active'),
      ('installing', 'failed'), ('active', 'installing'), ('active', 'paused'), ('paused', 'active'), ('active', 'upgrading'),
      ('paused', 'upgrading'), ('upgrading', 'active'), ('upgrading', 'paused'), ('active', 'uninstalling'),
      ('paused', 'uninstalling'), ('uninstalling', 'uninstalled'), ('uninstalling', 'active'), ('uninstalling', 'paused')) then
    raise exception 'installation % is %: it does not become %', old.id, old.status, new.status
      using errcode = 'restrict_violation';
  end if;
  -- Only an installation that is taken back goes back to being made.
  if old.status = 'active' and new.status = 'installing' and new.directive_id <> old.directive_id then
    raise exception 'installation % is made already', old.id using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;

-- Installations that a directive was making, and did not make.
create function fleetprompt.end_installation() returns trigger
language plpgsql as $$
begin
  execute format(
    'update %I.installations set status = ''failed'', error = jsonb_build_object(''kind'', $3::text, ''message'', $4::text),
       target_version = null, ended_at = now(), updated_at = now()
     where tenant = $1 and directive_id = $2 and status in (''queued'', ''installing'')', tg_table_schema)
    using new.tenant, new.id, coalesce(new.error_kind, new.status), coalesce(new.error_message, new.cancel_reason, '');
  return null;
end
$$;
