import type { Handler } from "../../../src/delivery/handler-definition.ts"
import type { JsonValue } from "../../../src/signal/json.ts"
import type { StoredSignal } from "../../../src/signal/stored-signal.ts"
import { fromRecord, SIGNAL_COLUMNS, type SignalRecord } from "../../../src/store/signal-record.ts"
import { hashOf } from "../ledger/content.ts"
import { COPY_TABLES } from "./copy-tables.ts"
import { type Evidence, type Part, schemasOf, tenantsOf } from "./evidence.ts"

/** What is copied of one table or of all, page by page. */
interface Source {
  readonly evidence: Evidence
  /** Slugs of the tenants that are ready. */
  readonly tenants: readonly string[]
  readonly schemas: readonly string[]
}

const COPIES: Readonly<Record<Part, (source: Source) => Promise<void>>> = {
  signals: copySignals,
  attempts: copyAttempts,
  queue: copyQueue,
  letters: copyLetters,
}

/** The order matters while deliveries still move: what leaves the queue meanwhile must not be missing in both. */
const IN_ORDER: readonly Part[] = ["signals", "queue", "attempts", "letters"]

/**
 * Copies rows of the product beside the ledger, a page at a time: this process holds no more than that, however many
 * there are. What an earlier check copied is dropped.
 */
export async function copyProduct(evidence: Evidence, parts: readonly Part[]): Promise<void> {
  const places = await tenantsOf(evidence)
  const { ledger, handlers } = evidence
  const tenants = places.map(({ slug }) => slug)
  await ledger.query(COPY_TABLES)
  await ledger.query("insert into evidence.tenants select unnest($1::text[])", [tenants])
  await ledger.query("insert into evidence.handlers select * from unnest($1::text[], $2::integer[])", [
    handlers.map(({ name }) => name),
    handlers.map(({ attempts }) => attempts),
  ])
  for (const part of IN_ORDER.filter((each) => parts.includes(each))) {
    await COPIES[part]({ evidence, tenants, schemas: schemasOf(places) })
    await ledger.query(`analyze evidence.${part}`)
  }
  if (parts.length > 0) await ledger.query("analyze calls, invocations, effects, seen")
}

/** Pages of a table's file, of 8 kB, that are read at once: about 1,500 signals, 5,000 attempts. */
const BLOCKS = { signals: 32, attempts: 64, letters: 64 } as const

/** Reads a table whose rows stay where they are, in the order of its file. `$1`: the tenants. */
async function eachPage<Row extends object>(
  { evidence: { product }, tenants }: Source,
  table: string,
  { blocks, select }: { readonly blocks: number; readonly select: string },
  take: (rows: readonly Row[]) => Promise<void>,
): Promise<void> {
  const [size] = await product.query<{ blocks: string }>(
    "select pg_relation_size($1::regclass) / current_setting('block_size')::integer as blocks",
    [table],
  )
  for (let from = 0; from < Number(size?.blocks); from += blocks) {
    const range = [tenants, `(${from},0)`, `(${from + blocks},0)`]
    const where = "where tenant = any($1::text[]) and ctid >= $2::tid and ctid < $3::tid"
    await take(await product.query<Row>(`${select} from ${table} ${where}`, range))
  }
}

async function copySignals(source: Source): Promise<void> {
  const { ledger, handlers } = source.evidence
  const select = `select ${SIGNAL_COLUMNS}, tx_id::text, position::text`
  for (const schema of source.schemas) {
    await eachPage<SignalPage>(source, `${schema}.signals`, { blocks: BLOCKS.signals, select }, async (rows) => {
      const copied = rows.map((row) => signalRow(row, handlers))
      await ledger.query(
        "insert into evidence.signals select * from json_populate_recordset(null::evidence.signals, $1::json)",
        [JSON.stringify(copied)],
      )
    })
  }
}

type SignalPage = SignalRecord & { readonly tx_id: string; readonly position: string }

function signalRow({ tx_id, position, ...record }: SignalPage, handlers: readonly Handler[]): object {
  const signal = fromRecord(record)
  const { tenant, id, type, source, dedupeKey, metadata } = signal
  return {
    tenant,
    id,
    type,
    source,
    hash: hashOf(signal),
    dedupe_key: dedupeKey,
    causation_id: metadata.causation_id,
    handlers: handlers.filter((handler) => isFor(handler, signal)).map(({ name }) => name),
    tx_id,
    position,
  }
}

/** A condition that throws counts as met, as fan-out has it. */
function isFor({ on, where }: Handler, signal: StoredSignal): boolean {
  if (!on.matches(signal.type)) return false
  try {
    // What is stored is JSON.
    return where?.(signal as StoredSignal<JsonValue>) ?? true
  } catch {
    return true
  }
}

const PLACE = "tenant, signal_id::text, handler, coalesce(replay_id::text, '') as replay_id"

async function copyAttempts(source: Source): Promise<void> {
  const superseded = "(outcome = 'cancelled' and coalesce(error ->> 'name' = 'Superseded', false)) as superseded"
  const select = `select ${PLACE}, attempt, outcome, worker, finished_at::text, ${superseded}`
  for (const schema of source.schemas) {
    await eachPage<Place>(source, `${schema}.attempts`, { blocks: BLOCKS.attempts, select }, (rows) =>
      keepPlaces(source.evidence, "attempts", rows),
    )
  }
}

async function copyLetters(source: Source): Promise<void> {
  const page = { blocks: BLOCKS.letters, select: `select ${PLACE}` }
  for (const schema of source.schemas) {
    await eachPage<Place>(source, `${schema}.dead_letters`, page, (rows) =>
      keepPlaces(source.evidence, "letters", rows),
    )
  }
}

interface Place {
  readonly tenant: string
  readonly signal_id: string
  readonly handler: string
  readonly replay_id: string
}

/** Rows of the queue in one page. */
const QUEUE_PAGE = 5_000

/** A claim moves a row in its file, so these are read by their key. */
async function copyQueue({ evidence, tenants }: Source): Promise<void> {
  let after: Place | undefined
  do {
    const rows: readonly Place[] = await evidence.product.query<Place>(
      `select ${PLACE}, now()::text as read_at from fleetprompt.deliveries
       where tenant = any($1::text[]) and ($2::uuid is null or (signal_id, handler, tenant) > ($2, $3, $4))
       order by deliveries.signal_id, handler, tenant limit ${QUEUE_PAGE}`,
      [tenants, after?.signal_id ?? null, after?.handler ?? null, after?.tenant ?? null],
    )
    await keepPlaces(evidence, "queue", rows)
    after = rows.length < QUEUE_PAGE ? undefined : rows.at(-1)
  } while (after)
}

/** Rows have the names of the columns, and some perhaps besides. */
async function keepPlaces({ ledger }: Evidence, part: Exclude<Part, "signals">, rows: readonly Place[]): Promise<void> {
  await ledger.query(
    `insert into evidence.${part} select * from json_populate_recordset(null::evidence.${part}, $1::json)`,
    [JSON.stringify(rows)],
  )
}
