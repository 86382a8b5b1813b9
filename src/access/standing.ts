import { FleetPromptError } from "../errors.ts"
import { selectStanding, type Standing, updateChosenTenant } from "../store/people.ts"
import type { MembersDeps } from "./members.ts"
import { NO_TENANT } from "./policy.ts"
import type { Principal } from "./principal.ts"

/** How a person's principal is found. */
export interface PrincipalOptions {
  /**
   * Slug of the tenant that the request names, if it names one; `*` is none, for an operator. Default: the one that
   * the person chose.
   */
  readonly tenant?: string | undefined
}

/** What a person is at this moment, see `People.principalOf`. */
export async function principalOf(
  userId: string,
  { tenant: wanted }: PrincipalOptions,
  deps: MembersDeps,
): Promise<Principal | undefined> {
  const standing = await selectStanding(deps.database, userId, wanted)
  if (!standing) return undefined
  const { membership, isOperator } = standing
  if (membership) return { kind: "user", id: userId, ...membership }
  if (isOperator) return operatorIn(userId, wanted ?? (await stillThere(standing, deps)), deps)
  if (wanted !== undefined) throw noSuchTenant()
  return { kind: "user", id: userId, tenant: NO_TENANT, role: "member" }
}

/** Remembers the choice of a person who may make it. */
export async function chooseTenant(userId: string, tenant: string | undefined, deps: MembersDeps): Promise<void> {
  if (tenant !== undefined && !(await principalOf(userId, { tenant }, deps))) throw noSuchTenant()
  await updateChosenTenant(deps.database, userId, tenant === undefined || tenant === NO_TENANT ? null : tenant)
}

async function operatorIn(id: string, tenant: string, { scopeOf }: MembersDeps): Promise<Principal> {
  if (tenant !== NO_TENANT) await scopeOf(tenant).catch(hideReason)
  return { kind: "operator", id, tenant, role: "operator" }
}

/** The chosen tenant while it is there: a choice that has gone is none. */
async function stillThere({ chosen }: Standing, { scopeOf }: MembersDeps): Promise<string> {
  if (chosen === null) return NO_TENANT
  return scopeOf(chosen).then(
    ({ slug }) => slug,
    () => NO_TENANT,
  )
}

function hideReason(): never {
  throw noSuchTenant()
}

/** The same whether there is no such tenant or the person is not in it. */
function noSuchTenant(): FleetPromptError {
  return new FleetPromptError(
    "not_found",
    "expected an organisation that you are in, there is none of that name that you may see; choose one of your own",
  )
}
