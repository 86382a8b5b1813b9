-- The walls around the first tables: what each of the two roles may do with them.
grant usage on schema :schema to fleetprompt_tenant, fleetprompt_engine;

select fleetprompt.raise_wall(':schema.signals'::regclass);
select fleetprompt.raise_wall(':schema.effects'::regclass);
select fleetprompt.raise_wall(':schema.attempts'::regclass);
select fleetprompt.raise_wall(':schema.dead_letters'::regclass);
select fleetprompt.raise_wall(':schema.expired_keys'::regclass);
-- Facts do not change; retention removes them.
revoke update on :schema.signals from fleetprompt_tenant;

select fleetprompt.let_engine_insert(':schema.signals'::regclass);
select fleetprompt.let_engine_insert(':schema.effects'::regclass);
select fleetprompt.let_engine_insert(':schema.attempts'::regclass);
select fleetprompt.let_engine_insert(':schema.dead_letters'::regclass);
-- Which of the signals were new.
select fleetprompt.let_engine_read(':schema.signals'::regclass, '{id}');
-- Whether an attempt was noted already.
select fleetprompt.let_engine_read(':schema.attempts'::regclass, '{tenant,signal_id,handler,attempt,outcome,worker}');
-- Whether a signal's key is one of those that are remembered.
select fleetprompt.let_engine_read(':schema.expired_keys'::regclass, '{tenant,dedupe_key,source,source_event_id,expires_at}');
