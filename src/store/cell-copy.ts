import type { Queryable, Transaction } from "./database.ts"
import { quoteName, type TenantScope } from "./tenant-scope.ts"

/** Tables of the platform with rows that go along when a tenant comes to another database. */
export const CARRIED_TABLES: readonly string[] = ["pauses", "rate_spends", "replays", "bindings", "deliveries"]

/** A column as it is read and written: its name, quoted, its type, and what is read of it. */
interface CarriedColumn {
  readonly name: string
  readonly type: string
  /** SQL that gives its value as text, of the alias `found`. */
  readonly read: string
}

/** A table whose rows are carried from one database to another. */
export interface CarriedTable {
  readonly name: string
  /** Its full name, quoted. */
  readonly at: string
  readonly columns: readonly CarriedColumn[]
}

/** What is read of a column in place of its value: what is of one database, or of a lease there, stays behind. */
const READ_AS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // All of them are in the past of the other database; their order among themselves is their rank.
  signals: { tx_id: "$3::text", position: "found.rank::text" },
  deliveries: { leased_until: "null::text", leased_by: "null::text" },
  replays: {
    leased_until: "null::text",
    leased_by: "null::text",
    cursor_tx: "null::text",
    cursor_position: "null::text",
    // It holds a place in an order that is not there any more, so it cannot go on.
    status: "case found.status when 'failed' then 'cancelled' else found.status end",
  },
}

/** What a table has at a place; none where it is not there. */
export async function selectCarriedTable(tx: Queryable, scope: TenantScope, name: string): Promise<CarriedTable> {
  const at = `${CARRIED_TABLES.includes(name) ? "fleetprompt" : scope.schema}.${quoteName(name)}`
  const columns = await tx.query<{ name: string; type: string }>(
    `/* selectCarriedTable */ select attname::text as name, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = to_regclass($1)::oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`,
    [at],
  )
  const reads = READ_AS[name] ?? {}
  return {
    name,
    at,
    columns: columns.map((column) => ({
      name: quoteName(column.name),
      type: column.type,
      read: reads[column.name] ?? `found.${quoteName(column.name)}::text`,
    })),
  }
}

/** Texts of values are the same in both databases, whatever their settings are. */
export async function settleTexts(tx: Transaction): Promise<void> {
  await tx.script(
    "set local timezone = 'UTC'; set local datestyle = 'ISO, MDY'; set local intervalstyle = 'postgres'; set local extra_float_digits = 1; set local bytea_output = 'hex'",
  )
}

/** Which rows of a table are read next, and how many at most. */
export interface Portion {
  /** Where the portion before ended; null at the beginning. */
  readonly after: string | null
  /** Signals, or pages of another table. */
  readonly size: number
}

/** What was read. */
export interface Carried {
  /** Each row as a JSON list of texts. */
  readonly lines: readonly string[]
  /** Where the next portion begins; null when nothing is left. */
  readonly next: string | null
}

/** What tells two sets of rows apart, in whatever order they lie. */
export interface CarriedSum {
  readonly rows: number
  /** The sum of a hash of each row, as a decimal number. */
  readonly sum: string
  readonly next: string | null
}

/** Signals are read in their order, since that is what gives them their new places; other rows as they lie. */
export function isOrdered({ name }: CarriedTable): boolean {
  return name === "signals"
}

interface PortionRow {
  readonly line: string
  readonly place: string
}

/** Reads some of a tenant's rows. @param orderTx the transaction that they are to be of in the other database. */
export async function readCarried(
  tx: Queryable,
  { slug }: TenantScope,
  table: CarriedTable,
  portion: Portion,
  orderTx: string,
): Promise<Carried> {
  const rows = await tx.query<PortionRow>(
    `/* readCarried */ ${linesOf(table)}`,
    valuesOf(slug, table, portion, orderTx),
  )
  return { lines: rows.map(({ line }) => line), next: await nextOf(tx, table, portion, rows.at(-1)?.place) }
}

/** Counts some of a tenant's rows, and sums up their hashes; see `readCarried`. */
export async function sumCarried(
  tx: Queryable,
  { slug }: TenantScope,
  table: CarriedTable,
  portion: Portion,
  orderTx: string,
): Promise<CarriedSum> {
  const [row] = await tx.query<{ rows: number; sum: string; place: string | null }>(
    `/* sumCarried */ select count(*)::float8 as rows, (array_agg(place order by rank desc))[1] as place,
       coalesce(sum(hashtextextended(line, 0)::numeric + hashtextextended(line, 4815)::numeric * 18446744073709551616), 0)::text as sum
     from (${linesOf(table)}) as portion`,
    valuesOf(slug, table, portion, orderTx),
  )
  const next = await nextOf(tx, table, portion, row?.place ?? undefined)
  return { rows: row?.rows ?? 0, sum: row?.sum ?? "0", next }
}

function linesOf(table: CarriedTable): string {
  const list = table.columns.map(({ read }) => read).join(", ")
  return `select json_build_array(${list})::text as line, found.place, found.rank from (${
    isOrdered(table) ? orderedRows(table) : pageRows(table)
  }) as found order by found.rank`
}

/** A place is the last signal's, and its rank: how many there are up to it. */
function orderedRows({ at }: CarriedTable): string {
  return `select *, $4::text::bigint + row_number() over (order by tx_id, position) as rank,
       tx_id::text || '-' || position::text || '-' || ($4::text::bigint + row_number() over (order by tx_id, position)) as place
     from (
       select * from ${at} where tenant = $1 and (tx_id, position) > (split_part($2::text, '-', 1)::xid8, split_part($2::text, '-', 2)::bigint)
       order by tx_id, position limit $5::integer
     ) as next`
}

/** A place is a page. $3 is not needed; it is named, since Postgres has to know its type. */
function pageRows({ at }: CarriedTable): string {
  return `select *, $4::text::bigint as rank, $3::text as place from ${at}
     where tenant = $1 and ctid >= $2::text::tid and ctid < $5::text::tid`
}

const FIRST_SIGNAL = "0-0-0"

function valuesOf(slug: string, table: CarriedTable, { after, size }: Portion, orderTx: string): readonly unknown[] {
  if (isOrdered(table)) {
    const place = after ?? FIRST_SIGNAL
    return [slug, place, orderTx, place.split("-")[2] ?? "0", size]
  }
  const page = Number(after ?? 0)
  return [slug, `(${page},0)`, orderTx, "0", `(${page + size},0)`]
}

async function nextOf(
  tx: Queryable,
  table: CarriedTable,
  { after, size }: Portion,
  last: string | undefined,
): Promise<string | null> {
  if (isOrdered(table)) return last ?? null
  const [row] = await tx.query<{ pages: number }>(
    `/* countCarriedPages */ select ceil(pg_relation_size(to_regclass($1)) / current_setting('block_size')::float8)::float8 as pages`,
    [table.at],
  )
  const page = Number(after ?? 0) + size
  return page < (row?.pages ?? 0) ? String(page) : null
}

/** Stores rows as they were read in the other database. */
export async function insertCarried(
  tx: Queryable,
  { at, columns }: CarriedTable,
  lines: readonly string[],
): Promise<void> {
  await tx.query(
    `/* insertCarried */ insert into ${at} (${columns.map(({ name }) => name).join(", ")}) overriding system value
     select ${columns.map(({ type }, place) => `(given.value ->> ${place})::${type}`).join(", ")}
     from json_array_elements($1::text::json) with ordinality as given (value, place) order by given.place`,
    [`[${lines.join(",")}]`],
  )
}

/** Whether a tenant has replays that have not ended. */
export async function hasOpenReplays(tx: Queryable, tenant: string): Promise<boolean> {
  const [row] = await tx.query<{ isSo: boolean }>(
    `/* hasOpenReplays */ select exists (
       select from fleetprompt.replays where tenant = $1 and status in ('running', 'paused')) as "isSo"`,
    [tenant],
  )
  return row?.isSo === true
}
