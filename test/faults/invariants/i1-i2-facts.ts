import { statements } from "./evidence.ts"

/** Ids of a group that are told at most. */
const IDS = 10

const LOST = `
  select case when signal.id is null
    then format('call %s of %s was acknowledged as signal %s, which is not stored', call.call_id, call.tenant, call.signal_id)
    else format('signal %s of %s is not equal to what call %s sent', signal.id, call.tenant, call.call_id)
    end as violation
  from evidence.calls as call
  left join evidence.signals as signal on signal.tenant = call.tenant and signal.id = call.signal_id
  where call.outcome = 'ok' and signal.hash is distinct from call.hash`

/** Of what nobody was told, each fact may be stored once; what was refused, not at all. What handlers and schedules emit is not judged here. */
const UNEXPECTED = `
  with stored as (
    select tenant, hash, count(*) as count, array_to_string((array_agg(id order by tx_id, position))[:${IDS}], ', ') as ids
    from evidence.signals where causation_id is null and source not like 'schedule:%'
    group by tenant, hash
  ), asked as (
    select tenant, hash, count(distinct coalesce(key, call_id)) filter (where outcome <> 'failed') as most,
      array_to_string((array_agg(call_id order by begun_at))[:${IDS}], ', ') as ids
    from evidence.calls group by tenant, hash
  )
  select case when asked.hash is null
    then format('signal %s of %s is stored, and no call asked for it', stored.ids, stored.tenant)
    else format('signals %s of %s say the same; the calls for it allow %s (%s)', stored.ids, stored.tenant, asked.most, asked.ids)
    end as violation
  from stored left join asked using (tenant, hash)
  where stored.count > coalesce(asked.most, 0)`

/** I1: every emit that returned ok is stored, equal to what was sent; nothing else is. */
export const acknowledgedIsStored = statements(["signals"], LOST, UNEXPECTED)

const STORED_TWICE = `
  select format('key %s of %s is stored %s times: %s', dedupe_key, tenant, count(*),
    array_to_string((array_agg(id order by tx_id, position))[:${IDS}], ', ')) as violation
  from evidence.signals where dedupe_key is not null
  group by tenant, dedupe_key having count(*) > 1`

const DIFFERENT_ANSWERS = `
  select format('callers with key %s of %s got different ids: %s', key, tenant,
    array_to_string((array_agg(distinct signal_id))[:${IDS}], ', ')) as violation
  from evidence.calls where key is not null and outcome = 'ok'
  group by tenant, key having count(distinct signal_id) > 1`

const INSERTED_TWICE = `
  select format('%s callers with key %s of %s were told that theirs was stored', count(*), key, tenant) as violation
  from evidence.calls where key is not null and outcome = 'ok' and inserted
  group by tenant, key having count(*) > 1`

/** I2: one idempotency key, one fact, one id for every caller. */
export const oneKeyOneFact = statements(["signals"], STORED_TWICE, DIFFERENT_ANSWERS, INSERTED_TWICE)
