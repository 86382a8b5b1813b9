import { MARKER } from "../ledger/content.ts"
import { type Askable, type Evidence, type Invariant, schemasOf, tenantsOf } from "./evidence.ts"

/** I10: nothing of one tenant holds another's marker: no row, response, log line, metric or error. */
export const nothingLeaks: Invariant = {
  needs: [],
  find: async (evidence) => {
    const violations: string[] = []
    for (const table of await tablesOf(evidence)) {
      violations.push(...(await foreignMarkers(evidence.product, table, `'${table}'`)))
    }
    return [...violations, ...(await foreignMarkers(evidence.ledger, "outputs", "tenant || '/' || what"))]
  },
}

/** All tables with rows of tenants. */
async function tablesOf(evidence: Evidence): Promise<readonly string[]> {
  const schemas = schemasOf(await tenantsOf(evidence)).map((schema) => schema.replaceAll('"', ""))
  const rows = await evidence.product.query<{ table: string }>(
    `select format('%I.%I', columns.table_schema, columns.table_name) as table from information_schema.columns
     join information_schema.tables using (table_schema, table_name)
     where columns.column_name = 'tenant' and tables.table_type = 'BASE TABLE' and columns.table_schema = any($1::text[])
     order by 1`,
    [["fleetprompt", ...schemas]],
  )
  return rows.map(({ table }) => table)
}

/** Rows of a table whose text holds a marker of another tenant than their own. */
async function foreignMarkers(db: Askable, table: string, place: string): Promise<readonly string[]> {
  const rows = await db.query<{ place: string; tenant: string; owner: string; marker: string }>(
    `select ${place} as place, each.tenant, found.match[1] as owner, min(found.marker) as marker
     from ${table} as each
     cross join lateral (
       select regexp_matches(all_of.text, '(${MARKER})', 'g') as whole from (select each::text as text) as all_of
     ) as raw
     cross join lateral (select array[raw.whole[2]] as match, raw.whole[1] as marker) as found
     where found.match[1] <> each.tenant
     group by 1, 2, 3`,
  )
  return rows.map((row) => `${row.place} holds ${row.marker} of ${row.owner} in a row of ${row.tenant}`)
}
