import { actingFor } from "../../access/acting.ts"
import { appendPlatformAudit } from "../../audit/append-audit.ts"
import { isFleetPromptError } from "../../errors.ts"
import { databaseOf, type Fleet } from "../../fleet.ts"
import { selectUserOfIdentity, type UserRecord } from "../../store/people.ts"
import { hasSomebodyInCharge } from "../../store/sign-in-people.ts"
import { selectTenant } from "../../store/tenants.ts"
import type { Person } from "./person.ts"
import type { SignInPeople } from "./people.ts"

/** Under which name a person of sign-in is an identity of a user, whichever way in they took. */
const PROVIDER = "sign-in"
/** What sign-in does by itself, as audit logs name it. */
const byItself = { by: actingFor({ kind: "system", id: "sign-in" }) }

/** The people of a fleet, as sign-in needs them. */
export function peopleOf(fleet: Fleet): SignInPeople {
  const database = databaseOf(fleet)
  const userOf = (personId: string): Promise<UserRecord | undefined> =>
    selectUserOfIdentity(database, { provider: PROVIDER, subject: personId })
  // Every address here was shown to be its owner's: by a mail's link, an invitation, or a provider for its own domain.
  const known = ({ id, email, name }: Person): Promise<UserRecord> =>
    fleet.people.signedIn({
      provider: PROVIDER,
      subject: id,
      email,
      emailVerified: true,
      name: name === "" ? email : name,
    })

  return {
    isEmpty: async () => !(await hasSomebodyInCharge(database)),
    foundOrganisation: async (person, { slug, name, isFirst }) => {
      const user = await known(person)
      const of = isFirst && (await selectTenant(database, slug)) ? "existing" : "new"
      const by = actingFor({ kind: "user", id: user.id })
      await fleet.organisations.create({ tenant: slug, name, ownerId: user.id, of }, { by })
    },
    arrive: async (person, joins) => {
      const user = await known(person).catch(undefinedWhen("forbidden"))
      if (!user) return false
      if (joins)
        await fleet
          .tenant(joins.tenant)
          .members.add(user.id, joins.role, byItself)
          .catch(undefinedWhen("member_exists"))
      return true
    },
    findInvitation: (token) => fleet.people.invitationOf(token),
    acceptInvitation: async (token, person) => void (await fleet.people.accept(token, (await known(person)).id)),
    organisationsOf: async (personId) => {
      const user = await userOf(personId)
      return user ? fleet.people.organisationsOf(user.id) : []
    },
    chooseOrganisation: async (personId, tenant) => {
      const user = await userOf(personId)
      if (user) await fleet.people.choose(user.id, tenant)
    },
    note: async (personId, deed) => {
      const user = await userOf(personId)
      if (!user) return
      const actor = { kind: "user", id: user.id } as const
      await database.transaction((tx) => appendPlatformAudit(tx, [{ ...deed, resource: `user:${user.id}`, actor }]))
    },
    principalOf: async (personId) => {
      const user = await userOf(personId)
      return user && fleet.people.principalOf(user.id)
    },
  }
}

function undefinedWhen(code: string): (error: unknown) => undefined {
  return (error) => {
    if (isFleetPromptError(error) && error.code === code) return undefined
    throw error
  }
}
