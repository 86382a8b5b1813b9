import type { Database, Queryable, Transaction, TransactionOptions } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/**
 * Runs statements on one tenant's rows in one transaction, the one place where that is done. Its statements run in
 * the role `fleetprompt_tenant`, which sees the rows of this tenant alone, whoever signed in and whatever the
 * statements say. It has no right to tables without a wall. Commits when `run` resolves, rolls back when it throws.
 *
 * @example
 * const counts = await withinTenant(database, scope, (tx) => selectCounts(tx, scope))
 */
export function withinTenant<Result>(
  database: Pick<Database, "transaction">,
  scope: TenantScope,
  run: (tx: Transaction) => Promise<Result>,
  options: Omit<TransactionOptions, "role"> = {},
): Promise<Result> {
  return database.transaction(run, { ...options, role: { tenants: [scope] } })
}

/** A database that shows one tenant's rows alone. */
export interface TenantDatabase extends Queryable {
  transaction<Result>(run: (tx: Transaction) => Promise<Result>): Promise<Result>
}

/** A database in whose statements and transactions one tenant's rows are seen alone, as `withinTenant` does it. */
export function tenantDatabase(database: Pick<Database, "transaction" | "of">, scope: TenantScope): TenantDatabase {
  const statements = database.of([scope])
  return {
    query: (text, values) => statements.query(text, values),
    transaction: (run) => withinTenant(database, scope, run),
  }
}
