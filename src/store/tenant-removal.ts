import type { Queryable, Transaction } from "./database.ts"
import { quoteName, SHARED_SCHEMA, type TenantScope } from "./tenant-scope.ts"

/** How many of a tenant's deliveries run: somebody holds them, and the lease has not ended. */
export async function countHeld(tx: Queryable, tenant: string): Promise<number> {
  const [row] = await tx.query<{ held: number }>(
    `/* countHeld */ select count(*)::float8 as held from fleetprompt.deliveries where tenant = $1 and leased_until > now()`,
    [tenant],
  )
  return row?.held ?? 0
}

/**
 * Takes a tenant's deliveries from whoever had them and has been silent, so that nothing is booked for them any more. The
 * attempts are noted as lost.
 */
export async function endStaleHolds(tx: Queryable, { slug, schema }: TenantScope): Promise<void> {
  await tx.query(
    `/* endStaleHolds */ with stale as (
       select ctid as at, leased_by as worker from fleetprompt.deliveries where tenant = $1 and leased_by is not null for update
     ), ended as (
       update fleetprompt.deliveries as delivery
       set leased_by = null, leased_until = null, lease_token = delivery.lease_token + 1
       from stale where delivery.ctid = stale.at
       returning delivery.*, stale.worker
     )
     insert into ${schema}.attempts (tenant, signal_id, handler, attempt, outcome, worker, replay_id, started_at, finished_at)
     select tenant, signal_id, handler, attempt, 'lost', worker, replay_id, now(), now() from ended`,
    [slug],
  )
}

/** A table that has rows of tenants, and those that refer to it. */
export interface TenantTable {
  readonly name: string
  readonly parents: readonly string[]
}

/** The tables of a schema with a column `tenant`, those that refer to others first. */
export async function selectTenantTables(tx: Queryable, schemaName: string): Promise<readonly string[]> {
  const tables = await tx.query<TenantTable>(
    `/* selectTenantTables */ select class.relname::text as name, array(
       select distinct target.relname::text from pg_constraint as key join pg_class as target on target.oid = key.confrelid
       where key.conrelid = class.oid and key.contype = 'f' and key.confrelid <> class.oid
     ) as parents
     from pg_class as class join pg_attribute as column_ on column_.attrelid = class.oid
     where class.relnamespace = to_regnamespace($1) and class.relkind in ('r', 'p')
       and column_.attname = 'tenant' and not column_.attisdropped
     order by class.relname`,
    [quoteName(schemaName)],
  )
  return childrenFirst(tables)
}

function childrenFirst(tables: readonly TenantTable[]): readonly string[] {
  const left = new Map(tables.map((table) => [table.name, table]))
  const ordered: string[] = []
  while (left.size > 0) {
    const free = [...left.keys()].filter((name) => ![...left.values()].some(({ parents }) => parents.includes(name)))
    // Tables that refer to each other in a circle are taken as they come.
    for (const name of free.length > 0 ? free : [...left.keys()]) {
      ordered.push(name)
      left.delete(name)
    }
  }
  return ordered
}

/** Rows that one statement removes. */
const BATCH = 5_000

/**
 * Removes some of a tenant's rows from a table, as the owner, whose are all rows.
 *
 * @returns how many; fewer than a batch when none is left.
 */
export async function deleteTenantRows(
  tx: Transaction,
  schemaName: string,
  table: string,
  tenant: string,
): Promise<{ readonly count: number; readonly isLast: boolean }> {
  const name = `${quoteName(schemaName)}.${quoteName(table)}`
  await tx.script("set local fleetprompt.audit_maintenance = 'on'")
  const [row] = await tx.query<{ count: number }>(
    `/* deleteTenantRows */ with gone as (
       delete from ${name} where ctid = any (array(select ctid from ${name} where tenant = $1 limit ${BATCH})) returning 1
     )
     select count(*)::float8 as count from gone`,
    [tenant],
  )
  const count = row?.count ?? 0
  return { count, isLast: count < BATCH }
}

/** A tenant's rows in a table. */
export async function countTenantRows(
  tx: Queryable,
  schemaName: string,
  table: string,
  tenant: string,
): Promise<number> {
  const [row] = await tx.query<{ count: number }>(
    `/* countTenantRows */ select count(*)::float8 as count from ${quoteName(schemaName)}.${quoteName(table)} where tenant = $1`,
    [tenant],
  )
  return row?.count ?? 0
}

/** How long the removal of a schema waits for its locks, milliseconds: others wait behind it. */
const LOCK_WAIT_MS = 2_000

/**
 * Removes a tenant's own schema with all that is in it. What it does not find is gone already.
 *
 * @throws what Postgres answers, `55P03`, when somebody uses it for too long
 */
export async function dropSchema(tx: Transaction, schemaName: string): Promise<void> {
  if (schemaName === SHARED_SCHEMA || !/^(org|moved)_/.test(schemaName))
    throw new Error(`the schema ${schemaName} is none of one tenant's own`)
  await tx.script(`set local lock_timeout = ${LOCK_WAIT_MS}; drop schema if exists ${quoteName(schemaName)} cascade`)
}
