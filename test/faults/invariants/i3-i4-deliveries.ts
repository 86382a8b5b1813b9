import { DELIVERY } from "./copy-tables.ts"
import { statements } from "./evidence.ts"

const MISSING = `
  select format('the delivery %s %s of %s is missing: neither in the queue nor ended', signal_id, handler, tenant) as violation
  from (
    select tenant, signal_id, handler from evidence.wanted
    except select tenant, signal_id, handler from evidence.queue
    except select tenant, signal_id, handler from evidence.attempts
      where outcome in ('done', 'cancelled', 'dead', 'discarded')
  ) as missing`

const DONE_AND_OPEN = `
  select format('the delivery %s %s of %s was done and is in the queue still', signal_id, handler, tenant) as violation
  from evidence.queue as open where replay_id = '' and exists (
    select from evidence.attempts as attempt where outcome = 'done' and replay_id = ''
      and (attempt.tenant, attempt.signal_id, attempt.handler) = (open.tenant, open.signal_id, open.handler)
      and attempt.finished_at < open.read_at
  )`

/** Names of the platform's own handlers begin with its name; they are not the scenario's. */
const PLACES = `
  with places as (
    select tenant, signal_id, handler from evidence.queue union select tenant, signal_id, handler from evidence.attempts
    union select tenant, signal_id, handler from evidence.letters
  ), others as (select * from places where handler not like 'fleetprompt.%')`

const PHANTOM = `${PLACES}
  select format('the delivery %s %s of %s has no signal', signal_id, handler, tenant) as violation
  from others where not exists (
    select from evidence.signals as signal where signal.tenant = others.tenant and signal.id = others.signal_id
  )`

const UNASKED = `${PLACES}
  select format('the delivery %s %s of %s is for a handler that does not match its signal', others.signal_id,
    others.handler, others.tenant) as violation
  from others join evidence.signals as signal on signal.tenant = others.tenant and signal.id = others.signal_id
  where others.handler <> all (signal.handlers)`

/** I3: each signal x matching handler has exactly one delivery; none without its signal, none missing. */
export const oneDeliveryEach = statements(
  ["signals", "attempts", "queue", "letters"],
  MISSING,
  DONE_AND_OPEN,
  PHANTOM,
  UNASKED,
)

const APPLIED_TWICE = `
  select format('the effect of %s was applied %s times, under the ids %s',
    evidence.what(signal_id, handler, replay_id, tenant), count(*), string_agg(delivery_id, ', ' order by applied_at)) as violation
  from evidence.effects group by ${DELIVERY} having count(*) > 1`

const NEVER_APPLIED = `
  select format('%s is done, and its effect was never applied', evidence.what(signal_id, handler, replay_id, tenant)) as violation
  from (
    select ${DELIVERY} from evidence.attempts where outcome = 'done'
    intersect select ${DELIVERY} from evidence.invocations
    except select ${DELIVERY} from evidence.effects
  ) as missing`

/** I4: an effect keyed by the delivery's id is applied once, and not missing where the delivery is done. */
export const effectsOnce = statements(["attempts"], APPLIED_TWICE, NEVER_APPLIED)
