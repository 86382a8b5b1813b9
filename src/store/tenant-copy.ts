import type { Queryable, Transaction } from "./database.ts"
import { TENANT_ROLE } from "./roles.ts"
import { quoteName, SHARED_SCHEMA, type TenantScope } from "./tenant-scope.ts"

/** A table to be copied: its name, and the columns that both places have, quoted. */
export interface CopiedTable {
  readonly name: string
  readonly columns: readonly string[]
  /** Whether the tenant's role may add rows; to what only the engine or the owner writes it may not. */
  readonly isOpen: boolean
}

/** Pages of a table that one statement reads, 8 KB each: some thousand rows, which a busy server copies well within a statement's time. */
const PAGES = 256

/** The columns of a table of a tenant's schema, in their order; those that Postgres makes of others are left out. */
export async function selectColumns(tx: Queryable, { schema }: TenantScope, table: string): Promise<readonly string[]> {
  const rows = await tx.query<{ name: string }>(
    `/* selectColumns */ select attname::text as name from pg_attribute
     where attrelid = to_regclass($1)::oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`,
    [`${schema}.${quoteName(table)}`],
  )
  return rows.map(({ name }) => quoteName(name))
}

/** Whether the tenant's role may read a table and add rows to it. */
export async function selectIsOpen(tx: Queryable, { schema }: TenantScope, table: string): Promise<boolean> {
  const [row] = await tx.query<{ isOpen: boolean }>(
    `/* selectIsOpen */ select has_table_privilege('${TENANT_ROLE}', to_regclass($1)::oid, 'SELECT')
       and has_table_privilege('${TENANT_ROLE}', to_regclass($1)::oid, 'INSERT') as "isOpen"`,
    [`${schema}.${quoteName(table)}`],
  )
  return row?.isOpen ?? false
}

/** How many pages a table has; what is asked for in its ranges covers it all. */
export async function countPages(tx: Queryable, { schema }: TenantScope, table: string): Promise<number> {
  const [row] = await tx.query<{ pages: number }>(
    `/* countPages */ select ceil(pg_relation_size(to_regclass($1)) / current_setting('block_size')::float8)::float8 as pages`,
    [`${schema}.${quoteName(table)}`],
  )
  return row?.pages ?? 0
}

/** Rows of a tenant that lie in a range of pages. */
const IN_RANGE = `tenant = $1 and ctid >= $2::text::tid and ctid < $3::text::tid`

function rangeValues({ slug }: TenantScope, page: number): readonly unknown[] {
  return [slug, `(${page},0)`, `(${page + PAGES},0)`]
}

/** Where the range behind this one begins. */
export function nextPage(page: number): number {
  return page + PAGES
}

/**
 * Copies a tenant's rows that lie in a range of pages, as they are, with their places in the order.
 *
 * @returns how many.
 */
export async function copyRange(
  tx: Queryable,
  from: TenantScope,
  to: TenantScope,
  { name, columns }: CopiedTable,
  page: number,
): Promise<number> {
  const list = columns.join(", ")
  const [row] = await tx.query<{ count: number }>(
    `/* copyRange */ with copied as (
       insert into ${to.schema}.${quoteName(name)} (${list}) overriding system value
       select ${list} from ${from.schema}.${quoteName(name)} where ${IN_RANGE} returning 1
     )
     select count(*)::float8 as count from copied`,
    rangeValues(from, page),
  )
  return row?.count ?? 0
}

/** What tells two sets of rows apart, in whatever order they lie. */
export interface TableSum {
  readonly rows: number
  /** The sum of a hash of each row, as a decimal number. */
  readonly sum: string
}

/** Counts a tenant's rows that lie in a range of pages, and sums up their hashes. */
export async function sumRange(
  tx: Queryable,
  scope: TenantScope,
  { name, columns }: CopiedTable,
  page: number,
): Promise<TableSum> {
  const [row] = await tx.query<TableSum>(
    `/* sumRange */ select count(*)::float8 as rows,
       coalesce(sum(hashtextextended(row_text, 0)::numeric + hashtextextended(row_text, 4815)::numeric * 18446744073709551616), 0)::text as sum
     from (
       select row(${columns.join(", ")})::text as row_text from ${scope.schema}.${quoteName(name)} where ${IN_RANGE} offset 0
     ) as found`,
    rangeValues(scope, page),
  )
  return row ?? { rows: 0, sum: "0" }
}

/** How long somebody else may have a lock that is wanted, milliseconds: whoever comes later waits behind. */
const LOCK_WAIT_MS = 500

/**
 * Waits until nobody writes into a tenant's tables, and lets nobody begin until the transaction ends.
 *
 * @throws what Postgres answers, `55P03`, when somebody writes for longer than half a second
 */
export async function lockTables(tx: Transaction, { schema }: TenantScope, tables: readonly string[]): Promise<void> {
  const names = tables.map((table) => `${schema}.${quoteName(table)}`).join(", ")
  await tx.script(`set local lock_timeout = ${LOCK_WAIT_MS}; lock table ${names} in share mode`)
}

/**
 * Gives a tenant's own schema another name, under which nobody looks for it. Waits for whoever uses it.
 *
 * @throws what Postgres answers, `55P03`, when somebody uses it for longer than half a second
 */
export async function renameSchema(
  tx: Transaction,
  from: string,
  to: string,
  tables: readonly string[],
): Promise<void> {
  const names = tables.map((table) => `${quoteName(from)}.${quoteName(table)}`).join(", ")
  await tx.script(
    `set local lock_timeout = ${LOCK_WAIT_MS}; lock table ${names} in access exclusive mode;
     alter schema ${quoteName(from)} rename to ${quoteName(to)}`,
  )
}

/** Whether there is a schema of this name. */
export async function hasSchema(tx: Queryable, name: string): Promise<boolean> {
  const [row] = await tx.query<{ isThere: boolean }>(
    `/* hasSchema */ select to_regnamespace($1) is not null as "isThere"`,
    [quoteName(name)],
  )
  return row?.isThere ?? false
}

/** Sequences of the target begin behind the numbers that were copied. */
export async function raiseSequences(tx: Queryable, { schema, slug }: TenantScope, table: string): Promise<void> {
  const name = `${schema}.${quoteName(table)}`
  const columns = await tx.query<{ name: string; sequence: string }>(
    `/* selectSequences */ select attname::text as name, pg_get_serial_sequence($1, attname::text) as sequence from pg_attribute
     where attrelid = to_regclass($1)::oid and attidentity <> '' and not attisdropped`,
    [name],
  )
  for (const column of columns)
    await tx.query(
      `/* raiseSequence */ select setval($1::text::regclass, greatest(
         nextval($1::text::regclass), (select coalesce(max(${quoteName(column.name)}), 0) + 1 from ${name} where tenant = $2)))`,
      [column.sequence, slug],
    )
}

/** The version of the schema that small tenants share; undefined where there is none. */
export async function selectSharedVersion(tx: Queryable): Promise<number | undefined> {
  const [row] = await tx.query<{ comment: string | null }>(
    `/* selectSharedVersion */ select obj_description(to_regnamespace($1)::oid, 'pg_namespace') as comment`,
    [SHARED_SCHEMA],
  )
  return row?.comment == null ? undefined : Number(row.comment)
}
