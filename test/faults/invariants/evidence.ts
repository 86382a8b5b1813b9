import type { Handler } from "../../../src/delivery/handler-definition.ts"
import { schemaName, quoteName, type Placement } from "../../../src/store/tenant-scope.ts"

/** Something that answers SQL: the product's database as its superuser, or the ledger. */
export interface Askable {
  readonly query: <Row extends object>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>
}

/** What invariants are judged by. */
export interface Evidence {
  readonly product: Askable
  readonly ledger: Askable
  /** All handlers that fan-out went by. */
  readonly handlers: readonly Handler[]
  /** The longest lease and poll of the workers, milliseconds. */
  readonly leaseMs: number
  readonly pollMs: number
  /** How long subscribers may take to see what is committed already, milliseconds. */
  readonly catchUpMs: number
}

/** Rows of the product that an invariant compares with the ledger. See copy.ts. */
export type Part = "signals" | "attempts" | "queue" | "letters"

/** Something that must hold in any case. */
export interface Invariant {
  /** What of the product is copied beside the ledger before it is judged. */
  readonly needs: readonly Part[]
  /** Looks for violations, each a plain sentence with the ids in it; of each kind `MAX_FOUND` at most. */
  readonly find: (evidence: Evidence) => Promise<readonly string[]>
}

/** Violations that one statement looks for at most. */
export const MAX_FOUND = 1_000

/** Asks the ledger for violations; the statement answers with them as `violation`. */
export async function foundIn(
  { ledger }: Pick<Evidence, "ledger">,
  statement: string,
  values: readonly unknown[] = [],
): Promise<readonly string[]> {
  const rows = await ledger.query<{ violation: string }>(
    `select violation from (${statement}) as found limit ${MAX_FOUND}`,
    values,
  )
  return rows.map(({ violation }) => violation)
}

/** An invariant that is one or several statements. They find violations in the order of the statements. */
export function statements(needs: readonly Part[], ...texts: readonly string[]): Invariant {
  return {
    needs,
    find: async (evidence) => {
      const violations: string[] = []
      for (const text of texts) violations.push(...(await foundIn(evidence, text)))
      return violations
    },
  }
}

/** A tenant of the product's database. */
export interface TenantPlace {
  readonly slug: string
  /** Quoted. */
  readonly schema: string
}

/** All tenants that are ready, without the platform's own, into which nobody emits. */
export async function tenantsOf({ product }: Pick<Evidence, "product">): Promise<readonly TenantPlace[]> {
  const rows = await product.query<{ slug: string; placement: Placement }>(
    "select slug, placement from fleetprompt.tenants where status = 'ready' and slug <> 'fleetprompt' order by slug",
  )
  return rows.map(({ slug, placement }) => ({ slug, schema: quoteName(schemaName(slug, placement)) }))
}

/** The schemas of tenants, each once. */
export function schemasOf(tenants: readonly TenantPlace[]): readonly string[] {
  return [...new Set(tenants.map(({ schema }) => schema))]
}
