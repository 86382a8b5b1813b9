import type { Queryable } from "./database.ts"

/** Which ways in a person has, by provider; `credential` is a password. */
export async function selectWaysIn(tx: Queryable, personId: string): Promise<readonly string[]> {
  const rows = await tx.query<{ readonly provider: string }>(
    `/* selectWaysIn */ select "providerId" as provider from fleetprompt_auth.account where "userId" = $1 order by 1`,
    [personId],
  )
  return rows.map(({ provider }) => provider)
}

/** Whether there is anybody who can let others in: an owner of an organisation, or one of the platform's own people. */
export async function hasSomebodyInCharge(tx: Queryable): Promise<boolean> {
  const [row] = await tx.query<{ readonly has: boolean }>(
    `/* hasSomebodyInCharge */ select exists (select from fleetprompt.memberships where role = 'owner')
       or exists (select from fleetprompt.users where is_operator) as has`,
  )
  return row?.has ?? false
}
