import type { Principal } from "../../access/principal.ts"
import type { JsonObject } from "../../signal/json.ts"
import type { Person } from "./person.ts"
import type { ProviderJoins } from "./options.ts"

/** An organisation that a person belongs to. */
export interface OrganisationChoice {
  /** Slug of its tenant. */
  readonly tenant: string
  readonly name: string
  readonly role: string
  /** Whether it is the one the person works in. */
  readonly isChosen: boolean
}

/** An invitation that may be accepted. */
export interface OpenInvitation {
  readonly email: string
  readonly organisation: string
  readonly role: string
}

/** An organisation that is to be made. */
export interface NewOrganisation {
  /** Slug of its tenant. */
  readonly slug: string
  readonly name: string
  /** Whether it is the first one, whose owner may take over a tenant that was made before there were people. */
  readonly isFirst: boolean
}

/** What is kept of what somebody did at sign-in. */
export interface Deed {
  readonly action: "session.open" | "session.end" | "password.change" | "password.reset"
  /** Default `done`. */
  readonly outcome?: "done" | "denied"
  readonly details?: JsonObject
}

/** What sign-in needs of the platform's people: who somebody who signed in is, and where they belong. */
export interface SignInPeople {
  /** Whether there is nobody yet who could let others in. */
  readonly isEmpty: () => Promise<boolean>
  /** Makes an organisation with somebody as its owner. @throws FleetPromptError `organisation_exists`, `tenant_invalid` */
  readonly foundOrganisation: (person: Person, organisation: NewOrganisation) => Promise<void>
  /** Somebody signed in: makes them known, and a member where their provider says so. False: they may not come in. */
  readonly arrive: (person: Person, joins: ProviderJoins | undefined) => Promise<boolean>
  readonly findInvitation: (token: string) => Promise<OpenInvitation | undefined>
  readonly acceptInvitation: (token: string, person: Person) => Promise<void>
  readonly organisationsOf: (personId: string) => Promise<readonly OrganisationChoice[]>
  /** @throws FleetPromptError `not_found` when they do not belong to it */
  readonly chooseOrganisation: (personId: string, tenant: string) => Promise<void>
  /** Writes what they did, or somebody tried in their name, to the platform's audit log. */
  readonly note: (personId: string, deed: Deed) => Promise<void>
  /** Who they are as a caller, in the organisation they chose. Undefined: they may not come in. */
  readonly principalOf: (personId: string) => Promise<Principal | undefined>
}
