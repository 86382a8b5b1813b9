import type { Queryable, Transaction } from "./database.ts"
import { type ArchivedTable, archivedTables } from "./tenant-tables.ts"
import { quoteName, type TenantScope } from "./tenant-scope.ts"

/** A table to be written or read, and its columns, not quoted. */
export interface ArchiveColumns {
  readonly name: string
  readonly columns: readonly string[]
}

/** Rows that are in memory at once: at first, and at most. Fewer when they are large. */
const FIRST_FETCH = 20
const MOST_FETCH = 1_000
/** More characters than this in one answer, and the next has fewer rows. */
const LARGE = 2_000_000

function placeOf({ schema }: TenantScope, table: string): string {
  return `${archivedTables[table]?.in === "control" ? "fleetprompt" : schema}.${quoteName(table)}`
}

/** The columns of a table that an archive has; none when there is no such table, or it may not be read. */
export async function selectArchiveColumns(
  tx: Queryable,
  scope: TenantScope,
  table: string,
): Promise<readonly string[]> {
  const rows = await tx.query<{ name: string }>(
    `/* selectArchiveColumns */ select attname::text as name from pg_attribute
     where attrelid = to_regclass($1)::oid and attnum > 0 and not attisdropped and attgenerated = '' and attname <> 'tenant'
     order by attnum`,
    [placeOf(scope, table)],
  )
  const without = archivedTables[table]?.without ?? []
  return rows.map(({ name }) => name).filter((name) => !without.includes(name))
}

/**
 * From the next statement on the transaction sees what was committed by then, whatever is committed meanwhile. It writes
 * nothing.
 */
export async function freeze(tx: Transaction): Promise<void> {
  await tx.script("set transaction isolation level repeatable read, read only")
}

/**
 * A tenant's rows of a table, as JSON texts, in order. A cursor of Postgres holds the place, so that neither side holds
 * more than a few hundred rows.
 */
export async function* readArchiveRows(
  tx: Transaction,
  scope: TenantScope,
  { name, columns }: ArchiveColumns,
): AsyncGenerator<readonly string[], undefined> {
  const { order }: Partial<ArchivedTable> = archivedTables[name] ?? {}
  const list = columns.map((column) => `found.${quoteName(column)}`).join(", ")
  const inOrder = order ? `order by ${order.map((column) => `found.${quoteName(column)}`).join(", ")}` : ""
  // A checked slug needs no escaping in a literal; a cursor takes no parameters in a script.
  await tx.script(
    `declare archive_rows no scroll cursor for
     select to_jsonb(line)::text as line from ${placeOf(scope, name)} as found
     cross join lateral (select ${list}) as line where found.tenant = '${scope.slug}' ${inOrder}`,
  )
  for (let take = FIRST_FETCH; ;) {
    const rows = await tx.query<{ line: string }>(`/* readArchiveRows */ fetch ${take} from archive_rows`)
    if (rows.length === 0) break
    const size = rows.reduce((sum, { line }) => sum + line.length, 0)
    take = size > LARGE ? Math.max(1, Math.floor(take / 4)) : Math.min(MOST_FETCH, take * 2)
    yield rows.map(({ line }) => line)
  }
  await tx.script("close archive_rows")
  return undefined
}

/** How many rows an archive of a table will have. */
export async function countArchiveRows(tx: Queryable, scope: TenantScope, table: string): Promise<number> {
  const [row] = await tx.query<{ count: number }>(
    `/* countArchiveRows */ select count(*)::float8 as count from ${placeOf(scope, table)} where tenant = $1`,
    [scope.slug],
  )
  return row?.count ?? 0
}

/**
 * Stores rows of an archive as a tenant's own, whoever's they were. A row that is there already is left out.
 *
 * @param lines JSON texts, as `readArchiveRows` gave them.
 */
export async function insertArchiveRows(
  tx: Queryable,
  scope: TenantScope,
  { name, columns }: ArchiveColumns,
  lines: readonly string[],
): Promise<void> {
  const place = placeOf(scope, name)
  const list = columns.map(quoteName).join(", ")
  await tx.query(
    `/* insertArchiveRows */ insert into ${place} (tenant, ${list})
     select $1, ${columns.map((column) => `line.${quoteName(column)}`).join(", ")}
     from jsonb_array_elements($2::text::jsonb) with ordinality as given (value, place)
     cross join lateral jsonb_populate_record(null::${place}, given.value) as line
     order by given.place on conflict do nothing`,
    [scope.slug, `[${lines.join(",")}]`],
  )
}

/** Whether a tenant has signals, or keys of signals that it had. */
export async function hasHistory(tx: Queryable, { schema, slug }: TenantScope): Promise<boolean> {
  const [row] = await tx.query<{ isUsed: boolean }>(
    `/* hasHistory */ select exists (select 1 from ${schema}.signals where tenant = $1)
       or exists (select 1 from ${schema}.expired_keys where tenant = $1) as "isUsed"`,
    [slug],
  )
  return row?.isUsed ?? false
}
