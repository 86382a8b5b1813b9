import type { JsonValue } from "../signal/json.ts"
import type { Queryable } from "./database.ts"

/** What is taken away from the policies, for all processes; undefined when nobody ever said. */
export async function selectRestrictions(tx: Queryable): Promise<JsonValue | undefined> {
  const [row] = await tx.query<{ readonly roles: JsonValue }>(
    `/* selectRestrictions */ select roles from fleetprompt.restrictions`,
  )
  return row?.roles
}

/** Replaces what is taken away from the policies. */
export async function upsertRestrictions(tx: Queryable, roles: JsonValue): Promise<void> {
  await tx.query(
    `/* upsertRestrictions */ insert into fleetprompt.restrictions as restriction (roles) values ($1::text::json)
     on conflict (one) do update set roles = excluded.roles, changed_at = now()`,
    [JSON.stringify(roles)],
  )
}
