-- What may become of a directive, whoever writes: requested > running > completed, failed or cancelled; one that has not
-- begun may be cancelled too. What has ended is for good, and what was ordered does not change.
create function fleetprompt.check_directive_change() returns trigger
language plpgsql as $$
begin
  if old.status in ('completed', 'failed', 'cancelled') then
    raise exception 'directive % has ended as %: it does not change', old.id, old.status
      using errcode = 'restrict_violation', hint = 'Request it again: rerun.';
  end if;
  if (new.tenant, new.id, new.type, new.params, new.params_checksum, new.requested_at, new.inserted_at, new.actor_kind, new.actor_id,
      new.correlation_id)
    is distinct from (old.tenant, old.id, old.type, old.params, old.params_checksum, old.requested_at, old.inserted_at, old.actor_kind,
      old.actor_id, old.correlation_id)
    or (new.actor_user_id, new.actor_role, new.actor_key, new.actor_person, new.causation_id, new.idempotency_key, new.run_at, new.expires_at, new.rerun_of,
      new.reason, new.plan)
    is distinct from (old.actor_user_id, old.actor_role, old.actor_key, old.actor_person, old.causation_id, old.idempotency_key, old.run_at, old.expires_at,
      old.rerun_of, old.reason, old.plan) then
    raise exception 'what directive % orders does not change', old.id using errcode = 'restrict_violation';
  end if;
  if new.status <> old.status
    and (old.status, new.status) not in (('requested', 'running'), ('requested', 'cancelled'), ('running', 'completed'),
      ('running', 'failed'), ('running', 'cancelled')) then
    raise exception 'directive % is %: it does not become %', old.id, old.status, new.status using errcode = 'restrict_violation';
  end if;
  if new.approval is distinct from old.approval
    and not coalesce(
      old.approval = 'waiting' and new.approval in ('approved', 'rejected') and old.status = 'requested', false) then
    raise exception 'the approval of directive % is %: it does not become %', old.id, old.approval, new.approval
      using errcode = 'restrict_violation';
  end if;
  if new.status = 'running' and new.approval in ('waiting', 'rejected') then
    raise exception 'directive % was not approved: it does not run', old.id using errcode = 'restrict_violation';
  end if;
  if new.run_token < old.run_token or (old.ending is not null and new.ending is distinct from old.ending)
    or (old.cancel_requested and not new.cancel_requested) then
    raise exception 'directive % does not go back', old.id using errcode = 'restrict_violation';
  end if;
  return new;
end
$$;
